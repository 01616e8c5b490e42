// Whether a GPU computes right: a small model, of which is known what it gives.

import { LamaEdgeError, oneLine } from "../errors.js";
import { type OpenModelOptions, openModel } from "../model/model.js";

// lama-tiny at 64 x 64 as `make web` exports it, and three float32 arrays: image, mask, output.
const MODEL = new URL("../../assets/selftest.onnx", import.meta.url);
const VALUES = new URL("../../assets/selftest.bin", import.meta.url);
const SIDE = 64;
const AREA = SIDE * SIDE;
// The software adapter of Chromium is 1e-6 off; what is wrong is off by far more.
const TOLERANCE = 1e-3;

/**
 * Runs the small model.
 *
 * Throws a `LamaEdgeError` of kind `missing` when it gives something else, fails, or its files are
 * not there.
 */
export async function selfTest(options: OpenModelOptions): Promise<void> {
  const [bytes, values] = await Promise.all([file(MODEL), file(VALUES)]);
  const all = new Float32Array(values.buffer);
  const model = await openModel(bytes, options);
  try {
    const image = all.slice(0, 3 * AREA);
    const found = await model.run(image, all.slice(3 * AREA, 4 * AREA), SIDE, SIDE);
    const off = largestDifference(found, all.subarray(4 * AREA));
    // Written so that NaN fails too.
    if (!(off <= TOLERANCE)) throw failed(`its results are off by ${off.toPrecision(2)}`);
  } finally {
    await model.close();
  }
}

function failed(why: string): LamaEdgeError {
  return new LamaEdgeError("missing", `the self-test failed: ${why}`, "self_test_failed");
}

async function file(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`.trim());
    return new Uint8Array(await response.arrayBuffer());
  } catch (thrown) {
    throw failed(`${url.href} cannot be loaded (${oneLine(thrown)})`);
  }
}

/** NaN where one of the values is. */
function largestDifference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let largest = one.length === other.length ? 0 : Number.NaN;
  for (let at = 0; at < other.length; at++) {
    largest = Math.max(largest, Math.abs((one[at] ?? Number.NaN) - (other[at] ?? Number.NaN)));
  }
  return largest;
}
