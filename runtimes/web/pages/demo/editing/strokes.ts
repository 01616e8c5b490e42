/** From what a finger drew to the mask: pixels whose centres the brush covered. */

import { type Box, clamp, distance, type Extent, type Point } from "./geometry.js";

/** A disc drawn along a line. The centre of the pixel in column x, row y is (x + 0.5, y + 0.5). */
export interface Stroke {
  /** In pixels of the picture. */
  readonly radius: number;
  /** At least one, in pixels of the picture; they may lie outside it. */
  readonly points: readonly Point[];
  /** Whether it takes away from the hole. */
  readonly erases: boolean;
}

/** The value of hole; known is 0. */
export const HOLE = 255;

// So that the pixel under the thinnest brush is covered wherever in it the brush stands.
const LEAST_RADIUS = Math.SQRT1_2;

/**
 * Paints a stroke into a mask.
 *
 * @param mask one byte a pixel, row by row: `HOLE` or 0.
 */
export function paint(mask: Uint8Array, extent: Extent, stroke: Stroke): void {
  const { points } = stroke;
  const radius = Math.max(stroke.radius, LEAST_RADIUS);
  const value = stroke.erases ? 0 : HOLE;
  points.forEach((end, index) => {
    paintSegment(mask, extent, points[index - 1] ?? end, end, radius, value);
  });
}

/** Returns the mask that strokes make, one after the other. */
export function maskOf(strokes: Iterable<Stroke>, extent: Extent): Uint8Array {
  const mask = new Uint8Array(extent.width * extent.height);
  for (const stroke of strokes) {
    paint(mask, extent, stroke);
  }
  return mask;
}

/**
 * Adds a point to a line that is being drawn, unless it is so close to the last that the brush
 * would cover the same: pointers report far more points than a mask needs.
 */
export function extend(points: Point[], point: Point, radius: number): void {
  const last = points.at(-1);
  if (last === undefined || distance(last, point) >= Math.max(radius / 8, 0.25)) {
    points.push(point);
  }
}

/** Returns the smallest box round the hole; undefined where there is none. */
export function holeBox(mask: Uint8Array, { width, height }: Extent): Box | undefined {
  const first = mask.indexOf(HOLE);
  if (first < 0) {
    return undefined;
  }
  const top = Math.floor(first / width);
  const bottom = Math.floor(mask.lastIndexOf(HOLE) / width) + 1;
  let left = width;
  let right = 0;
  for (let y = top; y < Math.min(bottom, height); y++) {
    const row = mask.subarray(y * width, (y + 1) * width);
    const start = row.indexOf(HOLE);
    if (start >= 0) {
      left = Math.min(left, start);
      right = Math.max(right, row.lastIndexOf(HOLE) + 1);
    }
  }
  return { left, top, right, bottom };
}

function paintSegment(
  mask: Uint8Array,
  { width, height }: Extent,
  a: Point,
  b: Point,
  radius: number,
  value: number,
): void {
  const top = clamp(Math.ceil(Math.min(a.y, b.y) - radius - 0.5), 0, height);
  const bottom = clamp(Math.floor(Math.max(a.y, b.y) + radius - 0.5) + 1, 0, height);
  for (let y = top; y < bottom; y++) {
    const [left, right] = covered(a, b, radius, y + 0.5);
    const start = clamp(Math.ceil(left - 0.5), 0, width);
    const end = clamp(Math.floor(right - 0.5) + 1, 0, width);
    if (start < end) {
      mask.fill(value, y * width + start, y * width + end);
    }
  }
}

/**
 * Returns from where to where a row crosses the disc drawn from a to b. That shape is convex, so
 * it is one stretch: from the least to the largest of the two discs' and the rectangle's.
 */
function covered(a: Point, b: Point, radius: number, y: number): [number, number] {
  const stretches = [acrossDisc(a, radius, y), acrossDisc(b, radius, y)];
  const length = distance(a, b);
  if (length > 0) {
    const along = { x: (b.x - a.x) / length, y: (b.y - a.y) / length };
    const ahead = within(along.x, along.y * (y - a.y), 0, length);
    const aside = within(-along.y, along.x * (y - a.y), -radius, radius);
    stretches.push([a.x + Math.max(ahead[0], aside[0]), a.x + Math.min(ahead[1], aside[1])]);
  }
  const crossed = stretches.filter(([left, right]) => left <= right);
  return [Math.min(...crossed.map(([left]) => left)), Math.max(...crossed.map(([, to]) => to))];
}

function acrossDisc(centre: Point, radius: number, y: number): [number, number] {
  const half = Math.sqrt(radius ** 2 - (y - centre.y) ** 2); // not a number where it is past it
  return [centre.x - half, centre.x + half];
}

/** Returns for which t `slope * t + offset` is between two values. */
function within(slope: number, offset: number, least: number, most: number): [number, number] {
  if (slope === 0) {
    return least <= offset && offset <= most ? [-Infinity, Infinity] : [Infinity, -Infinity];
  }
  const ends = [(least - offset) / slope, (most - offset) / slope] as const;
  return [Math.min(...ends), Math.max(...ends)];
}
