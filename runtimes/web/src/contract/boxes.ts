// Rectangles of pixels, and those that the holes of a mask lie in.

import type { Size } from "../types.js";
import type { Hole } from "./hole.js";

/** A rectangle of pixels; `bottom` and `right` are the first row and column outside. */
export interface Box {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

// Side of the cells in which pieces of a hole count as near each other.
const CELL = 32;

/** All of a picture. */
export function boxOf(picture: Size): Box {
  return { top: 0, left: 0, bottom: picture.height, right: picture.width };
}

export function boxSize(box: Box): Size {
  return { height: box.bottom - box.top, width: box.right - box.left };
}

/** Whether the two share a pixel. */
export function overlaps(one: Box, other: Box): boolean {
  return (
    one.top < other.bottom &&
    other.top < one.bottom &&
    one.left < other.right &&
    other.left < one.right
  );
}

/** The box as counted from the top left of a larger one that holds it. */
export function within(box: Box, outer: Box): Box {
  return {
    top: box.top - outer.top,
    left: box.left - outer.left,
    bottom: box.bottom - outer.top,
    right: box.right - outer.left,
  };
}

/** The box with that many more rows and columns on each side, within `picture`. */
export function withMargins(box: Box, down: number, across: number, picture: Box): Box {
  return {
    top: Math.max(picture.top, box.top - down),
    left: Math.max(picture.left, box.left - across),
    bottom: Math.min(picture.bottom, box.bottom + down),
    right: Math.min(picture.right, box.right + across),
  };
}

/** A box round this one of at least that size, as far as `picture` allows. */
export function grownTo(box: Box, size: Size, picture: Box): Box {
  const [top, bottom] = grownSpan(box.top, box.bottom, size.height, picture.bottom);
  const [left, right] = grownSpan(box.left, box.right, size.width, picture.right);
  return { top, left, bottom, right };
}

function grownSpan(
  start: number,
  stop: number,
  wanted: number,
  limit: number,
): readonly [number, number] {
  const length = stop - start;
  const extent = Math.min(limit, Math.max(wanted, length));
  const before = Math.trunc((extent - length) / 2);
  const first = Math.min(Math.max(0, start - before), limit - extent);
  return [first, first + extent];
}

/** The smallest box that holds both. */
export function boxRound(one: Box, other: Box): Box {
  return {
    top: Math.min(one.top, other.top),
    left: Math.min(one.left, other.left),
    bottom: Math.max(one.bottom, other.bottom),
    right: Math.max(one.right, other.right),
  };
}

/** For `sort`: boxes go from top to bottom, then from left to right. */
export function compareBoxes(one: Box, other: Box): number {
  return (
    one.top - other.top ||
    one.left - other.left ||
    one.bottom - other.bottom ||
    one.right - other.right
  );
}

/**
 * Tight boxes that hold every hole pixel, no two overlapping, from top to bottom.
 *
 * Pieces of a hole in the same or in neighbouring cells of a 32-pixel grid count as one, and so do
 * pieces whose boxes overlap.
 */
export function holeBoxes(hole: Hole): Box[] {
  let boxes: Box[] = [];
  for (const separate of separateHoles(hole)) {
    let box = separate;
    for (;;) {
      const hits = boxes.filter((other) => overlaps(other, box));
      if (hits.length === 0) break;
      boxes = boxes.filter((other) => !overlaps(other, box));
      box = hits.reduce(boxRound, box);
    }
    boxes.push(box);
  }
  return boxes.sort(compareBoxes);
}

/** The boxes of the hole pixels in cells that are next to each other. */
function separateHoles(hole: Hole): Box[] {
  const columns = Math.ceil(hole.width / CELL);
  const cells = cellBoxes(hole, columns);
  const holes: Box[] = [];
  for (const [start, box] of cells) {
    let found = box;
    const frontier = [start];
    cells.delete(start);
    for (let cell = frontier.pop(); cell !== undefined; cell = frontier.pop()) {
      for (const near of cellsRound(cell, columns)) {
        const other = cells.get(near);
        if (other === undefined) continue;
        found = boxRound(found, other);
        cells.delete(near);
        frontier.push(near);
      }
    }
    holes.push(found);
  }
  return holes;
}

/** The tight boxes of the hole pixels in each cell of the grid that has some, by its number. */
function cellBoxes(hole: Hole, columns: number): Map<number, Box> {
  const { flags, width } = hole;
  const cells = new Map<number, Box>();
  for (let at = flags.indexOf(1); at >= 0; ) {
    const row = Math.floor(at / width);
    const start = row * width;
    const column = Math.floor((at - start) / CELL);
    const stop = start + Math.min(width, (column + 1) * CELL);
    const right = flags.lastIndexOf(1, stop - 1) + 1 - start;
    const found = { top: row, left: at - start, bottom: row + 1, right };
    const cell = Math.floor(row / CELL) * columns + column;
    const box = cells.get(cell);
    cells.set(cell, box === undefined ? found : boxRound(box, found));
    at = flags.indexOf(1, stop);
  }
  return cells;
}

function* cellsRound(cell: number, columns: number): Iterable<number> {
  const column = cell % columns;
  for (const row of [cell - column - columns, cell - column, cell - column + columns]) {
    for (let near = Math.max(0, column - 1); near <= Math.min(columns - 1, column + 1); near++) {
      yield row + near;
    }
  }
}

/**
 * The tight boxes on both sides of the known row or column nearest to the middle of a box that is
 * tight round hole pixels: two; none where every row and column of it has a hole pixel.
 */
export function halves(box: Box, hole: Hole): Box[] {
  const { rows, columns } = filledLines(box, hole);
  const { height, width } = boxSize(box);
  for (const isRow of height >= width ? [true, false] : [false, true]) {
    const at = knownLine(isRow ? rows : columns);
    if (at === null) continue;
    const [before, after] = isRow
      ? [
          { ...box, bottom: box.top + at },
          { ...box, top: box.top + at },
        ]
      : [
          { ...box, right: box.left + at },
          { ...box, left: box.left + at },
        ];
    return [tight(before, hole), tight(after, hole)];
  }
  return [];
}

/** Which rows and columns of a box have a hole pixel: 1 for each that has. */
function filledLines(box: Box, hole: Hole): { rows: Uint8Array; columns: Uint8Array } {
  const { height, width } = boxSize(box);
  const rows = new Uint8Array(height);
  const columns = new Uint8Array(width);
  for (let row = 0; row < height; row++) {
    const start = (box.top + row) * hole.width + box.left;
    const line = hole.flags.subarray(start, start + width);
    rows[row] = Number(line.includes(1));
    for (let column = 0; column < width; column++) columns[column] |= line[column];
  }
  return { rows, columns };
}

function tight(box: Box, hole: Hole): Box {
  const { rows, columns } = filledLines(box, hole);
  return {
    top: box.top + rows.indexOf(1),
    left: box.left + columns.indexOf(1),
    bottom: box.top + rows.lastIndexOf(1) + 1,
    right: box.left + columns.lastIndexOf(1) + 1,
  };
}

/** The known line nearest to the middle, of two the first; null where all are filled. */
function knownLine(filled: Uint8Array): number | null {
  const middle = Math.trunc(filled.length / 2);
  for (let distance = 0; distance <= middle; distance++) {
    if (filled[middle - distance] === 0) return middle - distance;
    if (filled[middle + distance] === 0) return middle + distance;
  }
  return null;
}
