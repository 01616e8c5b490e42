import { afterAll, describe, expect, test } from "vitest";
import { watchWasmMemory } from "../../src/model/memory.js";
import { openModel } from "../../src/model/model.js";
import { expectAgreement } from "../agreement.js";
import { type Case, fetched, readCases } from "../cases.js";

const watched = watchWasmMemory();
const options = { ort: new URL("/ort/", location.href), provider: "wasm", threads: 2 } as const;
const hasCases = (await fetch("/cases/cases.json")).headers.get("Content-Type") !== "text/html";
const cases: Case[] = hasCases ? await readCases(fetched) : [];

describe.skipIf(!hasCases)("models as Python runs them (pytest writes the cases)", () => {
  test.each(cases)("$name in two threads", async (one) => {
    const bytes = await fetched(`${one.name}.onnx`);
    const model = await openModel(bytes, { ...options, placement: one.name === "tiny" });
    expect(model).toMatchObject({ provider: "wasm", threads: 2, notes: [] });
    await expectAgreement(model, one, fetched);
    if (one.name === "tiny") {
      expect(model.placement?.fellBack).toEqual([]);
      expect(model.placement?.providers.CPUExecutionProvider).toBeGreaterThan(100);
    }
    await model.close();
  });

  afterAll(() => expect(watched()).toBeGreaterThan(16 * 2 ** 20));
});
