import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Inpainter, LamaEdgeError, type OpenOptions } from "../../src/index.js";
import { type Case, fetched, largestDifference, pixels, readCases } from "../cases.js";
import { changed, drawnMask, drawnPicture } from "../pictures.js";

const TINY = "/cases/tiny.onnx";
const options: OpenOptions = { ort: "/ort/", provider: "wasm", threads: 2 };
const hasCases = (await fetch("/cases/cases.json")).headers.get("Content-Type") !== "text/html";
const cases: Case[] = hasCases ? await readCases(fetched) : [];
const open: Inpainter[] = [];

async function opened(model: string | Blob | Uint8Array, more: OpenOptions = {}) {
  const inpainter = await Inpainter.open(model, { ...options, ...more });
  open.push(inpainter);
  return inpainter;
}

async function refusal(work: Promise<unknown>): Promise<LamaEdgeError> {
  const error = await work.then(
    () => new Error("nothing was thrown"),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(LamaEdgeError);
  expect(error.message).not.toContain("\n");
  return error as LamaEdgeError;
}

async function hash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

beforeEach(() => caches.delete("lama-edge-models"));
afterEach(() => Promise.all(open.splice(0).map((inpainter) => inpainter.close())));

describe.skipIf(!hasCases)("the inpainter (pytest writes the cases)", () => {
  test.each(cases.filter(({ name }) => !name.includes("-")))(
    "$name fills as Python does",
    async (one) => {
      const inpainter = await opened(`/cases/${one.name}.onnx`);
      const [picture, mask] = [
        await pixels(fetched, one, "picture"),
        await pixels(fetched, one, "mask"),
      ];
      const { pixels: found, report } = await inpainter.inpaint(picture, mask);
      expect(
        largestDifference(found.data, await fetched(`${one.name}.filled`)),
      ).toBeLessThanOrEqual(1);
      expect(changed(picture, found, mask).outside).toBe(0);
      expect(report).toMatchObject({ runs: 1, provider: "wasm", maskChannel: "grey" });
    },
  );

  test("says what it opened, with progress and the bytes' hash", async () => {
    const seen: number[] = [];
    const bytes = await fetched("tiny.onnx");
    const inpainter = await opened(TINY, { onProgress: ({ loaded }) => seen.push(loaded) });
    expect(inpainter.info).toMatchObject({
      precision: "fp32",
      form: "float",
      fixed: { height: 64, width: 64 },
      provider: "wasm",
      threads: 2,
      notes: [],
      sha256: await hash(bytes),
    });
    expect(inpainter.info.runtimeVersion).toMatch(/^1\.30\./);
    expect(JSON.parse(inpainter.info.manifest).schema_version).toBe(1);
    expect([seen[0], seen.at(-1)]).toEqual([0, bytes.length]);
  });

  test("takes any size and channels, one picture after the other, and leaves what it was given", async () => {
    const inpainter = await opened(await fetched("tiny.onnx"));
    const sizes = [
      [100, 150, 1],
      [300, 220, 3],
      [70, 40, 4],
    ] as const;
    const work = sizes.map(async ([height, width, channels]) => {
      const picture = drawnPicture(height, width, channels);
      const before = picture.data.slice();
      const mask = drawnMask(height, width);
      const { pixels: found } = await inpainter.inpaint(picture, mask);
      expect(picture.data).toEqual(before);
      expect(found).toMatchObject({ height, width, channels });
      expect(changed(picture, found, mask)).toMatchObject({ outside: 0 });
      expect(changed(picture, found, mask).inside).toBeGreaterThan(100);
    });
    await Promise.all(work);
  });

  test("gives a picture of the page as ImageData and as a PNG of the same pixels", async () => {
    const inpainter = await opened(TINY);
    const { data } = drawnPicture(64, 64, 4);
    const picture = new ImageData(new Uint8ClampedArray(data), 64, 64);
    const result = await inpainter.inpaint(picture, drawnMask(64, 64), { strategy: "full" });
    expect(result.pixels.channels).toBe(4);
    const image = result.toImageData();
    expect([...image.data]).toEqual([...result.pixels.data]);
    const blob = await result.toBlob();
    expect(blob.type).toBe("image/png");
    const again = await inpainter.inpaint(
      blob,
      new ImageData(
        new Uint8ClampedArray(64 * 64 * 4).fill(255).map((v, i) => (i % 4 === 3 ? v : 0)),
        64,
        64,
      ),
    );
    expect([...again.pixels.data]).toEqual([...image.data]);
    expect(again.report.strategy).toBe("none");
  });

  test("an unusable mask, size or option is refused by name", async () => {
    const inpainter = await opened(TINY);
    const picture = drawnPicture(64, 64);
    const other = await refusal(inpainter.inpaint(picture, drawnMask(64, 72)));
    expect(other.kind).toBe("picture");
    const grown = inpainter.inpaint(picture, drawnMask(64, 64), { mask: { grow: 2000 } });
    expect(await refusal(grown)).toMatchObject({ kind: "usage", code: "grow_out_of_range" });
    const small = inpainter.inpaint(picture, drawnMask(64, 64), { maxSide: 8 });
    expect(await refusal(small)).toMatchObject({ kind: "usage", code: "max_side_too_small" });
    const { report } = await inpainter.inpaint(picture, drawnMask(64, 64));
    expect(report.runs).toBe(1);
  });

  test("a cancelled picture is given up, and the next one is filled", async () => {
    const inpainter = await opened("/cases/tiny-any.onnx");
    const aborting = new AbortController();
    const large = inpainter.inpaint(drawnPicture(512, 512), drawnMask(512, 512), {
      signal: aborting.signal,
    });
    setTimeout(() => aborting.abort(), 50);
    expect((await refusal(large)).kind).toBe("cancelled");
    const gone = inpainter.inpaint(drawnPicture(64, 64), drawnMask(64, 64), {
      signal: AbortSignal.abort(),
    });
    expect((await refusal(gone)).kind).toBe("cancelled");
    const { report } = await inpainter.inpaint(drawnPicture(64, 64), drawnMask(64, 64));
    expect(report.runs).toBe(1);
  });

  test("where memory ends the error says so, and smaller pictures go on in a new worker", async () => {
    const inpainter = await opened("/cases/tiny-any.onnx", { ort: "/faults/small_memory/" });
    const large = inpainter.inpaint(drawnPicture(512, 512), drawnMask(512, 512), {
      strategy: "full",
    });
    const error = await refusal(large);
    expect(error).toMatchObject({ kind: "missing", code: "out_of_memory" });
    const { report } = await inpainter.inpaint(drawnPicture(64, 64), drawnMask(64, 64));
    expect(report).toMatchObject({ runs: 1, provider: "wasm" });
  });

  test("what memory is too small for is made smaller, and a warning says so", async () => {
    const inpainter = await opened("/cases/tiny-any.onnx", { ort: "/faults/small_memory/" });
    const { report } = await inpainter.inpaint(drawnPicture(512, 512), drawnMask(512, 512));
    expect(report).toMatchObject({ strategy: "resize", code: "no_memory_for_crop", runs: 1 });
    expect(report.warning).toMatch(/a crop takes about .* are free, so the fill is made at \d+ /);
    const roomy = await opened("/cases/tiny-any.onnx");
    const { report: whole } = await roomy.inpaint(drawnPicture(96, 96), drawnMask(96, 96));
    expect(whole).toMatchObject({ warning: "" });
  });

  test("after close, work that waits and work that comes is refused", async () => {
    const inpainter = await opened(TINY);
    const waiting = inpainter.inpaint(drawnPicture(64, 64), drawnMask(64, 64));
    const refused = refusal(waiting);
    await inpainter.close();
    expect((await refused).kind).toBe("usage");
    const late = inpainter.inpaint(drawnPicture(64, 64), drawnMask(64, 64));
    expect((await refusal(late)).message).toContain("closed");
  });

  test("a model given with its hash is kept, and found again where its address is gone", async () => {
    const bytes = await fetched("tiny.onnx");
    const sha256 = await hash(bytes);
    await opened(TINY, { sha256: sha256.toUpperCase() });
    const inpainter = await opened("/faults/missing", { sha256 });
    expect(inpainter.info.sha256).toBe(sha256);
    const cache = await caches.open("lama-edge-models");
    const [key] = await cache.keys();
    await cache.put(key as Request, new Response("damaged"));
    expect(await refusal(opened("/faults/missing", { sha256 }))).toMatchObject({ kind: "model" });
    expect(await cache.keys()).toEqual([]);
    await opened(TINY, { sha256, cache: false });
    expect(await cache.keys()).toEqual([]);
  });

  test("another hash than asked for is refused, and not kept", async () => {
    const error = await refusal(opened(TINY, { sha256: "0".repeat(64) }));
    expect(error).toMatchObject({ kind: "model", code: "other_hash" });
    expect(error.message).toContain(await hash(await fetched("tiny.onnx")));
    expect(await (await caches.open("lama-edge-models")).keys()).toEqual([]);
    expect(await refusal(opened(TINY, { sha256: "abc" }))).toMatchObject({ kind: "usage" });
  });

  test("what is no model of ours is refused", async () => {
    const noise = new Uint8Array(1000).fill(7);
    expect(await refusal(opened(noise))).toMatchObject({ kind: "model" });
    expect(await refusal(opened(new Blob([])))).toMatchObject({ kind: "model" });
    expect(await refusal(opened("/faults/page"))).toMatchObject({ kind: "model" });
  });

  test("WebGPU, which is not in this browser: auto says so and takes WebAssembly, its name is refused", async () => {
    const said: string[] = [];
    const inpainter = await opened(TINY, { provider: "auto", onNote: (line) => said.push(line) });
    expect(inpainter.info.provider).toBe("wasm");
    expect(said).toEqual(inpainter.info.notes);
    expect(said[0]).toMatch(/^WebGPU is not used: /);
    expect(await refusal(opened(TINY, { provider: "webgpu" }))).toMatchObject({ kind: "missing" });
    const unknown = opened(TINY, { provider: "gpu" as "auto" });
    expect(await refusal(unknown)).toMatchObject({ kind: "usage" });
  });
});

test("downloads that fail are refused with their address, and an impatient caller's ends", async () => {
  const missing = await refusal(opened("/faults/missing"));
  expect(missing).toMatchObject({ kind: "model", code: "download_failed" });
  expect(missing.message).toMatch(/faults\/missing.*404/);
  expect(await refusal(opened("/faults/short"))).toMatchObject({ code: "download_failed" });
  const nobody = opened("http://127.0.0.1:9/model.onnx");
  expect(await refusal(nobody)).toMatchObject({ code: "download_failed" });
  const slow = opened("/faults/slow", { signal: AbortSignal.timeout(100) });
  expect(await refusal(slow)).toMatchObject({ kind: "cancelled" });
});

test.skipIf(!hasCases)("a folder without ONNX Runtime Web is named", async () => {
  const error = await refusal(opened(TINY, { ort: "/nowhere/" }));
  expect(error.kind).toBe("missing");
  expect(error.message).toContain("/nowhere/");
});
