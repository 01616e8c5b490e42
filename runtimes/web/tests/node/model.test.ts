import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { describe, expect, test } from "vitest";
import { LamaEdgeError } from "../../src/errors.js";
import { type OrtModule, openModel } from "../../src/model/model.js";
import { expectAgreement } from "../agreement.js";
import { type Case, type Read, readCases } from "../cases.js";

const folder = process.env.LAMA_EDGE_CASES;
const read: Read = async (name) => new Uint8Array(await readFile(`${folder}/${name}`));
const cases: Case[] = folder ? await readCases(read) : [];
const options = { ort: ort as unknown as OrtModule, provider: "wasm", threads: 1 } as const;

describe.skipIf(!folder)("models as Python runs them (pytest writes the cases)", () => {
  test.each(cases)("$name", async (one) => {
    const model = await openModel(await read(`${one.name}.onnx`), options);
    expect(model.manifest.io.form).toBe(one.form);
    await expectAgreement(model, one, read);
    await model.close();
  });

  test("sizes and lengths that are not the model's are refused", async () => {
    const model = await openModel(await read(`${cases[0]?.name}.onnx`), options);
    const grey = (pixels: number) => new Float32Array(pixels);
    const refusal = (...given: Parameters<typeof model.run>) =>
      model.run(...given).catch((error: LamaEdgeError) => [error.kind, error.code]);
    expect(await refusal(grey(3 * 72 * 64), grey(72 * 64), 72, 64)).toEqual([
      "model",
      "size_other",
    ]);
    expect(await refusal(grey(3 * 64 * 64), grey(64 * 63), 64, 64)).toEqual(["model", ""]);
    expect(await refusal(grey(6 * 64 * 64), grey(2 * 64 * 64), 64, 64)).toEqual(["model", ""]);
    await model.close();
  });

  test("a damaged file is refused by one line", async () => {
    const bytes = await read(`${cases[0]?.name}.onnx`);
    const cut = openModel(bytes.slice(0, 1000), options);
    await expect(cut).rejects.toMatchObject({ name: "LamaEdgeError", kind: "model" });
    bytes.fill(0x55, 2000, 60_000);
    const error: unknown = await openModel(bytes, options).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(LamaEdgeError);
    expect((error as Error).message).not.toContain("\n");
  });
});

test("threads that cannot work are refused", async () => {
  const { possibleThreads } = await import("../../src/model/loading.js");
  expect(() => possibleThreads(0)).toThrow("0 threads cannot work");
  expect(() => possibleThreads(1.5)).toThrow(LamaEdgeError);
});

test("a folder without ONNX Runtime Web is named", async () => {
  const { loadOrt } = await import("../../src/model/loading.js");
  const error = loadOrt(new URL("file:///nowhere/ort/"), "wasm");
  await expect(error).rejects.toMatchObject({ kind: "missing" });
  await expect(error).rejects.toThrow("file:///nowhere/ort/");
});
