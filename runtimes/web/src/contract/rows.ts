// What pictures and holes have in common: bytes in rows without gaps.

import { LamaEdgeError } from "../errors.js";
import type { Size } from "../types.js";
import { type Box, boxSize } from "./boxes.js";
import { spelledPicture } from "./sizes.js";

/** Bytes in memory of their own. */
export type Bytes = Uint8Array<ArrayBuffer>;
/** Bytes as callers may have them. */
export type AnyBytes = Uint8Array | Uint8ClampedArray;

/**
 * Throws a `LamaEdgeError` of kind `picture` when a side is no whole number above 0, or the number
 * of values is another than `channels` for each pixel.
 *
 * @param what `picture` or `mask`, for the message.
 */
export function checkBytes(what: string, size: Size, channels: number, count: number): void {
  if (!(isSide(size.height) && isSide(size.width))) {
    const seen = `the ${what} is empty: ${spelledPicture(size)}`;
    throw new LamaEdgeError("picture", `${seen}; give whole numbers above 0`);
  }
  if (count !== size.height * size.width * channels) {
    const seen = `the ${what} of ${spelledPicture(size)} has ${count} bytes`;
    throw new LamaEdgeError("picture", `${seen}: give ${channels} for each pixel`);
  }
}

function isSide(side: number): boolean {
  return Number.isSafeInteger(side) && side > 0;
}

/** Room for that many bytes. Throws a `LamaEdgeError` of kind `picture` where there is none. */
export function room(size: Size, channels: number): Bytes {
  try {
    return new Uint8Array(size.height * size.width * channels);
  } catch {
    const what = `there is no memory for a picture of ${spelledPicture(size)}`;
    throw new LamaEdgeError("picture", `${what}: give a smaller one`);
  }
}

/** The rows of a box, which must lie inside. */
export function croppedRows(bytes: AnyBytes, width: number, channels: number, box: Box): Bytes {
  const part = room(boxSize(box), channels);
  const step = (box.right - box.left) * channels;
  for (let row = box.top; row < box.bottom; row++) {
    const from = (row * width + box.left) * channels;
    part.set(bytes.subarray(from, from + step), (row - box.top) * step);
  }
  return part;
}

/**
 * The rows grown at the bottom and right to a size no smaller, mirrored with the border pixel
 * repeated.
 */
export function mirroredRows(bytes: AnyBytes, from: Size, channels: number, to: Size): Bytes {
  const grown = room(to, channels);
  const step = from.width * channels;
  const wide = to.width * channels;
  for (let row = 0; row < to.height; row++) {
    const start = mirrored(row, from.height) * step;
    grown.set(bytes.subarray(start, start + step), row * wide);
    for (let column = from.width; column < to.width; column++) {
      const source = row * wide + mirrored(column, from.width) * channels;
      grown.copyWithin(row * wide + column * channels, source, source + channels);
    }
  }
  return grown;
}

function mirrored(index: number, count: number): number {
  const place = index % (2 * count);
  return place < count ? place : 2 * count - 1 - place;
}
