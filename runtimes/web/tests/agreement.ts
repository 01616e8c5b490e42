// What is asked of every case, in Node and in Chromium.

import { expect } from "vitest";
import type { Model } from "../src/model/model.js";
import { type Case, largestDifference, psnr, type Read, values } from "./cases.js";

// Of fp32 against native ONNX Runtime; measured 2e-6 at most. One level of bytes: a sum that lies
// between two may be rounded either way.
const TOLERANCE = { float: 1e-4, uint8: 1 };
const LEAST_FP16_DB = 55;

/** Runs the model on a case's arrays, and compares. */
export async function expectAgreement(model: Model, one: Case, read: Read): Promise<void> {
  const { name, form, height, width } = one;
  const [image, hole, wanted] = await Promise.all(
    ["given", "hole", "output"].map(async (part) => values(await read(`${name}.${part}`), form)),
  );
  if (!image || !hole || !wanted) throw new Error(`${name} has no arrays`);
  const found = await model.run(image, hole, height, width);
  if (model.manifest.precision === "fp16") {
    expect(psnr(found, wanted, form === "float" ? 1 : 255)).toBeGreaterThan(LEAST_FP16_DB);
  } else {
    expect(largestDifference(found, wanted)).toBeLessThanOrEqual(TOLERANCE[form]);
  }
}
