// The hole of a mask: which pixels shall be filled.

import { LamaEdgeError } from "../errors.js";
import type { Size } from "../types.js";
import { type Box, boxOf, boxRound, boxSize, holeBoxes, withMargins } from "./boxes.js";
import { type Bytes, croppedRows, mirroredRows, room } from "./rows.js";

/** The most pixels that a hole grows by. */
export const MOST_GROW = 1024;

/** The pixels of a picture that shall be filled. */
export interface Hole extends Size {
  /** One for each pixel, rows from the top; 1 inside the hole, else 0. */
  flags: Bytes;
}

/** Whether nothing is to be filled. */
export function isEmpty(hole: Hole): boolean {
  return !hole.flags.includes(1);
}

/** The hole with all pixels of another one of the same size. */
export function united(hole: Hole, other: Hole): Hole {
  const flags = hole.flags.slice();
  for (let at = 0; at < flags.length; at++) flags[at] |= other.flags[at];
  return { ...hole, flags };
}

/** The hole without the pixels of another one of the same size. */
export function without(hole: Hole, other: Hole): Hole {
  const flags = hole.flags.slice();
  for (let at = 0; at < flags.length; at++) flags[at] &= 1 - other.flags[at];
  return { ...hole, flags };
}

/** The part in a box, which must lie inside. */
export function croppedHole(hole: Hole, box: Box): Hole {
  return { ...boxSize(box), flags: croppedRows(hole.flags, hole.width, 1, box) };
}

/** The hole grown at the bottom and right as its picture is padded. */
export function paddedHole(hole: Hole, to: Size): Hole {
  return { ...to, flags: mirroredRows(hole.flags, hole, 1, to) };
}

/** The hole of a smaller picture: every pixel that a hole pixel touches is hole. */
export function shrunkHole(hole: Hole, { height, width }: Size): Hole {
  const flags = room({ height, width }, 1);
  for (let row = 0; row < height; row++) {
    const line = new Uint8Array(hole.width);
    const [top, bottom] = touched(row, height, hole.height);
    for (let from = top; from < bottom; from++) {
      const start = from * hole.width;
      for (let at = 0; at < line.length; at++) line[at] |= hole.flags[start + at];
    }
    for (let column = 0; column < width; column++) {
      const [left, right] = touched(column, width, hole.width);
      flags[row * width + column] = Number(line.subarray(left, right).includes(1));
    }
  }
  return { height, width, flags };
}

/** The source pixels that a target pixel shows something of: the first, and the first beyond. */
function touched(target: number, count: number, sources: number): readonly [number, number] {
  return [Math.floor((target * sources) / count), Math.ceil(((target + 1) * sources) / count)];
}

/**
 * The hole dilated by a disc: every pixel dy rows and dx columns from one of its own with
 * dx² + dy² <= pixels².
 *
 * Throws a `LamaEdgeError` of kind `usage` when `pixels` is no whole number from 0 to `MOST_GROW`.
 */
export function grown(hole: Hole, pixels: number): Hole {
  if (!(Number.isInteger(pixels) && pixels >= 0 && pixels <= MOST_GROW)) {
    const seen = `a mask cannot grow by ${pixels} pixels`;
    throw new LamaEdgeError("usage", `${seen}: give 0 to ${MOST_GROW}`, "grow_out_of_range");
  }
  const boxes = pixels > 0 ? holeBoxes(hole) : [];
  if (boxes.length === 0) return hole;
  // Nothing changes farther away, and a mask is mostly that.
  const reached = withMargins(boxes.reduce(boxRound), pixels, pixels, boxOf(hole));
  const part = croppedHole(hole, reached);
  const distance = rowsToHole(part, pixels + 1);
  const half = halfWidths(pixels);
  const flags = hole.flags.slice();
  for (let row = 0; row < part.height; row++) {
    const start = (reached.top + row) * hole.width + reached.left;
    const line = distance.subarray(row * part.width, (row + 1) * part.width);
    reachAcross(line, half, flags.subarray(start, start + part.width));
  }
  return { ...hole, flags };
}

/** How many rows the next hole pixel of each column is away, at most `most`. */
function rowsToHole({ width, flags }: Hole, most: number): Uint16Array {
  const distance = new Uint16Array(flags.length);
  for (let at = 0; at < distance.length; at++) distance[at] = flags[at] ? 0 : most;
  for (let at = width; at < distance.length; at++) {
    distance[at] = Math.min(distance[at], distance[at - width] + 1);
  }
  for (let at = distance.length - width - 1; at >= 0; at--) {
    distance[at] = Math.min(distance[at], distance[at + width] + 1);
  }
  return distance;
}

/** Half the width of a disc by the rows from its middle; beyond it, -1, nothing is reached. */
function halfWidths(radius: number): Int16Array {
  const half = new Int16Array(radius + 2).fill(-1);
  let reach = radius;
  for (let rows = 0; rows <= radius; rows++) {
    while (reach * reach + rows * rows > radius * radius) reach--;
    half[rows] = reach;
  }
  return half;
}

/** Marks in one row what is within reach of any of its columns. */
function reachAcross(distance: Uint16Array, half: Int16Array, flags: Bytes): void {
  let reached = -1;
  for (let column = 0; column < flags.length; column++) {
    reached = Math.max(reached, column + half[distance[column]]);
    if (reached >= column) flags[column] = 1;
  }
  reached = flags.length;
  for (let column = flags.length - 1; column >= 0; column--) {
    reached = Math.min(reached, column - half[distance[column]]);
    if (reached <= column) flags[column] = 1;
  }
}
