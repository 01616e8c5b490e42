// Between pictures and the tensors of a model.

import { LamaEdgeError } from "../errors.js";
import type { Size } from "../types.js";
import type { Hole } from "./hole.js";
import { type Rgb, rgb } from "./pixels.js";
import { type Bytes, room } from "./rows.js";
import { type IoForm, spelledPicture } from "./sizes.js";

/** The values of a tensor: float32 from 0 to 1, or bytes. */
export type Values = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

// Each level as a float model has it. Divided in double precision and rounded to float32, it is
// what float32 alone would give.
const SHARES = Float32Array.from({ length: 256 }, (_, level) => level / 255);

/**
 * A picture as a model's `image`, one picture: float32, planar, 3 x height x width, 0 to 1; or
 * bytes, interleaved.
 */
export function imageValues(form: IoForm, picture: Rgb): Values {
  if (form !== "float") return picture.data;
  const { data } = picture;
  const area = data.length / 3;
  const values = new Float32Array(data.length);
  for (let at = 0, from = 0; at < area; at++, from += 3) {
    values[at] = SHARES[data[from]];
    values[area + at] = SHARES[data[from + 1]];
    values[2 * area + at] = SHARES[data[from + 2]];
  }
  return values;
}

/** A hole as a model's `mask`: height x width of 0 and 1, of bytes 0 and 255. */
export function maskValues(form: IoForm, hole: Hole): Values {
  return form === "float"
    ? Float32Array.from(hole.flags)
    : hole.flags.map((flag: number) => flag * 255);
}

/**
 * The picture of a model's output; a float one is rounded to the nearest level, of two the even
 * one.
 *
 * Throws a `LamaEdgeError` of kind `model` when it is of another type than the form's, has another
 * number of values than 3 for each pixel, or values that are not finite.
 */
export function pictureOf(form: IoForm, output: Float32Array | Uint8Array, size: Size): Rgb {
  const isFloat = output instanceof Float32Array;
  if (isFloat !== (form === "float") || output.length !== size.height * size.width * 3) {
    const seen = `the model returned ${output.length} ${isFloat ? "float32" : "uint8"} values`;
    const message = `${seen} for ${spelledPicture(size)} in the form ${form}: export it again`;
    throw new LamaEdgeError("model", message);
  }
  return rgb(size, isFloat ? interleaved(output, size) : Uint8Array.from(output));
}

function interleaved(output: Float32Array, size: Size): Bytes {
  const bytes = room(size, 3);
  // Writing to it rounds halves to the even level and clamps to 0 and 255, as the language says.
  const levels = new Uint8ClampedArray(bytes.buffer);
  const area = levels.length / 3;
  let notFinite = 0;
  for (let channel = 0; channel < 3; channel++) {
    const start = channel * area;
    for (let at = 0, to = channel; at < area; at++, to += 3) {
      const level = Math.fround(output[start + at] * 255);
      if (!Number.isFinite(level)) notFinite++;
      levels[to] = level;
    }
  }
  if (notFinite > 0) refuseOutput(output, notFinite);
  return bytes;
}

function refuseOutput(output: Float32Array, notFinite: number): never {
  const isNan = output.some(Number.isNaN);
  const seen = `the model returned ${isNan ? "NaN" : "infinity"} at ${notFinite} of`;
  throw new LamaEdgeError(
    "model",
    `${seen} ${output.length} values: its precision overflows here, use an fp32 export`,
    isNan ? "output_nan" : "output_infinite",
  );
}
