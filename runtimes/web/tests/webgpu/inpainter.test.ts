// One test a fault: the software adapter takes seconds to open a model, and half a minute to run.
import { expect, test } from "vitest";
import { Inpainter, type OpenOptions } from "../../src/index.js";
import { type Case, fetched, largestDifference, pixels, readCases } from "../cases.js";

const hasCases = (await fetch("/cases/cases.json")).headers.get("Content-Type") !== "text/html";
const tiny = hasCases ? ((await readCases(fetched)) as [Case])[0] : null;

/** Fills the first case; what it gives is right whoever computed it. */
async function filled(model: string, options: OpenOptions) {
  const one = tiny as Case;
  const said: string[] = [];
  const inpainter = await Inpainter.open(`/cases/${model}.onnx`, {
    ort: "/ort/",
    threads: 2,
    onNote: (line) => said.push(line),
    ...options,
  });
  const picture = await pixels(fetched, one, "picture");
  const { pixels: found, report } = await inpainter.inpaint(
    picture,
    await pixels(fetched, one, "mask"),
  );
  expect(largestDifference(found.data, await fetched(`${one.name}.filled`))).toBeLessThanOrEqual(
    model === "tiny" ? 1 : 12,
  );
  const { info } = inpainter;
  await inpainter.close();
  expect(info.notes).toEqual(said);
  return { report, info };
}

test.skipIf(!tiny)("auto takes WebGPU that passes its self-test", async () => {
  const { report, info } = await filled("tiny", {});
  expect(info.notes).toEqual([]);
  expect([info.provider, report.provider]).toEqual(["webgpu", "webgpu"]);
});

test.skipIf(!tiny)("a GPU that is lost at work gives way to WebAssembly, with a note", async () => {
  const { report, info } = await filled("tiny", { ort: "/faults/lost_gpu/", selfTest: false });
  expect([info.provider, report.provider]).toEqual(["wasm", "wasm"]);
  expect(info.notes[0]).toMatch(/^WebGPU is not used any more: the GPU was lost/);
});

test.skipIf(!tiny)("a GPU asked for by its name that is lost is an error", async () => {
  const lost = filled("tiny", {
    ort: "/faults/lost_gpu/",
    selfTest: false,
    provider: "webgpu",
  });
  await expect(lost).rejects.toMatchObject({ kind: "missing", code: "gpu_lost" });
});

test.skipIf(!tiny)("a GPU that computes wrong fails its self-test", async () => {
  const { report, info } = await filled("tiny", { ort: "/faults/wrong_gpu/" });
  expect([info.provider, report.provider]).toEqual(["wasm", "wasm"]);
  expect(info.notes[0]).toMatch(/^WebGPU is not used: the self-test failed: .* off by [01]\.\d/);
});

test.skipIf(!tiny)("int8, and fp16 without shader-f16, run in WebAssembly", async () => {
  const int8 = await filled("tiny-int8", {});
  expect(int8.info.provider).toBe("wasm");
  expect(int8.info.notes[0]).toContain("int8");
  const fp16 = await filled("tiny-fp16", {});
  expect(fp16.info.provider).toBe("wasm");
  expect(fp16.info.notes[0]).toContain("shader-f16");
});
