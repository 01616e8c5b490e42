// Resizing of pictures, bit for bit as the Python implementation: separable filters in 22-bit
// fixed point.
//
// Method: Pillow's documentation, "Concepts: Filters", and its Resample.c, which computes a target
// pixel's weights in double precision, rounds them to fixed point, and resizes one axis after the
// other with 8 bits in between. Here rows always come first; Pillow's own order depends on the
// shape since release 13 (python-pillow/Pillow#9549).

import type { Size } from "../types.js";
import { type Box, boxOf } from "./boxes.js";
import { croppedRgb, type Rgb, rgb } from "./pixels.js";
import { room } from "./rows.js";

const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

interface Filter {
  support: number;
  weight(distance: number): number;
}

const BOX: Filter = {
  support: 0.5,
  weight: (distance) => (distance > -0.5 && distance <= 0.5 ? 1 : 0),
};

const BICUBIC: Filter = {
  support: 2,
  weight(distance) {
    const a = -0.5;
    const x = Math.abs(distance);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
  },
};

/** What one target pixel of an axis takes from the source pixels. */
interface Taps {
  /** The first source pixel. */
  start: number;
  /** Of it and those that follow, in units of 2 to the power of -22. */
  weights: Int32Array;
}

/**
 * Averages an RGB picture down to a size.
 *
 * The box filter is the one whose support stays inside a target pixel: a wider one would bleed the
 * hole's old content into pixels that `shrunkHole` leaves known.
 */
export function shrunk(picture: Rgb, size: Size): Rgb {
  return resized(picture, size, BOX, boxOf(size));
}

/**
 * Interpolates an RGB picture up to a size, bicubic (a = -0.5).
 *
 * @param part what of the result is wanted; only that is computed and returned.
 */
export function enlarged(picture: Rgb, size: Size, part: Box): Rgb {
  return resized(picture, size, BICUBIC, part);
}

function resized(picture: Rgb, size: Size, filter: Filter, part: Box): Rgb {
  if (size.height === picture.height) return across(picture, size.width, filter, part);
  const rows = allTaps(picture.height, size.height, filter, part.top, part.bottom);
  const top = rows[0].start;
  const last = rows[rows.length - 1];
  const bottom = last.start + last.weights.length;
  return down(across(picture, size.width, filter, { ...part, top, bottom }), rows, top);
}

/** The columns of a part of a picture resized to a width; its rows are the picture's own. */
function across(picture: Rgb, width: number, filter: Filter, part: Box): Rgb {
  if (width === picture.width) return croppedRgb(picture, part);
  const taps = allTaps(picture.width, width, filter, part.left, part.right);
  const size = { height: part.bottom - part.top, width: taps.length };
  const levels = room(size, 3);
  let to = 0;
  for (let row = part.top; row < part.bottom; row++) {
    const line = picture.data.subarray(row * picture.width * 3, (row + 1) * picture.width * 3);
    for (const { start, weights } of taps) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let at = 0, from = start * 3; at < weights.length; at++, from += 3) {
        red += weights[at] * line[from];
        green += weights[at] * line[from + 1];
        blue += weights[at] * line[from + 2];
      }
      levels[to++] = level(red);
      levels[to++] = level(green);
      levels[to++] = level(blue);
    }
  }
  return rgb(size, levels);
}

/** Each of `taps` makes a row; of the source, `picture` has the rows from `first` on. */
function down(picture: Rgb, taps: readonly Taps[], first: number): Rgb {
  const size = { height: taps.length, width: picture.width };
  const levels = room(size, 3);
  const wide = picture.width * 3;
  const sums = new Int32Array(wide);
  let to = 0;
  for (const { start, weights } of taps) {
    sums.fill(HALF);
    for (let tap = 0; tap < weights.length; tap++) {
      const from = (start - first + tap) * wide;
      const line = picture.data.subarray(from, from + wide);
      const weight = weights[tap];
      for (let at = 0; at < wide; at++) sums[at] += Math.imul(weight, line[at]);
    }
    for (let at = 0; at < wide; at++) levels[to++] = level(sums[at]);
  }
  return rgb(size, levels);
}

/**
 * Weights add up to 1, so the sums of levels fit 32 bits: 255 in units of 2 to the power of -22,
 * and a quarter more beside bicubic's negative weights.
 */
function level(sum: number): number {
  return Math.min(255, Math.max(0, sum >> PRECISION_BITS));
}

/** What the target pixels from `first` to `stop` of an axis take. */
function allTaps(
  source: number,
  target: number,
  filter: Filter,
  first: number,
  stop: number,
): Taps[] {
  const scale = source / target;
  const taps: Taps[] = [];
  for (let index = first; index < stop; index++) taps.push(tapsOf(index, source, scale, filter));
  return taps;
}

function tapsOf(index: number, source: number, scale: number, filter: Filter): Taps {
  const widening = Math.max(scale, 1);
  const reach = filter.support * widening;
  const centre = (index + 0.5) * scale;
  const start = Math.max(0, Math.trunc(centre - reach + 0.5));
  const stop = Math.min(source, Math.trunc(centre + reach + 0.5));
  const raw = new Float64Array(stop - start);
  let sum = 0;
  for (let at = 0; at < raw.length; at++) {
    raw[at] = filter.weight((start + at - centre + 0.5) * (1 / widening));
    sum += raw[at];
  }
  const weights = new Int32Array(raw.length);
  for (let at = 0; at < raw.length; at++) {
    const share = (sum !== 0 ? raw[at] / sum : raw[at]) * 2 ** PRECISION_BITS;
    // Halves away from 0: the array drops what is beyond the point.
    weights[at] = share < 0 ? share - 0.5 : share + 0.5;
  }
  return { start, weights };
}
