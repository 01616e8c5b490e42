import { describe, expect, it } from "vitest";
import {
  extend,
  HOLE,
  holeBox,
  maskOf,
  type Stroke,
} from "../../../../pages/demo/editing/strokes.js";

const extent = { width: 23, height: 17 };

/** Whether a pixel's centre lies under the brush, from the definition. */
function covers({ points, radius }: Stroke, x: number, y: number): boolean {
  return points.some((b, index) => {
    const a = points[index - 1] ?? b;
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = dx * dx + dy * dy;
    const along = length ? ((x - a.x) * dx + (y - a.y) * dy) / length : 0;
    const t = Math.min(Math.max(along, 0), 1);
    return Math.hypot(x - a.x - t * dx, y - a.y - t * dy) <= radius;
  });
}

function byDefinition(strokes: Stroke[]): Uint8Array {
  const mask = new Uint8Array(extent.width * extent.height);
  for (const stroke of strokes) {
    mask.forEach((_, at) => {
      const [x, y] = [(at % extent.width) + 0.5, Math.floor(at / extent.width) + 0.5];
      if (covers(stroke, x, y)) mask[at] = stroke.erases ? 0 : HOLE;
    });
  }
  return mask;
}

/** Numbers that look random and are the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe("strokes become the mask", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("as by definition, also beyond the edges (%i)", (seed) => {
    const random = numbers(seed);
    const next = () => random.next().value;
    const strokes = Array.from({ length: 6 }, () => ({
      radius: 0.8 + 5 * next(),
      erases: next() < 0.3,
      points: Array.from({ length: 1 + Math.floor(4 * next()) }, () => ({
        x: 40 * next() - 8,
        y: 30 * next() - 6,
      })),
    }));
    expect(maskOf(strokes, extent)).toEqual(byDefinition(strokes));
  });

  it("as by definition along rows and columns, and where a point repeats", () => {
    const lines: [number, number][][] = [
      [[3, 4], [15, 4]],
      [[15.5, 4.5], [3.5, 4.5]],
      [[7, 12], [7, 3]],
      [[7, 5], [7, 5]],
    ]; // biome-ignore format: one line each
    for (const line of lines) {
      const points = line.map(([x, y]) => ({ x, y }));
      const strokes = [{ radius: 2.5, erases: false, points }];
      expect(maskOf(strokes, extent)).toEqual(byDefinition(strokes));
    }
  });

  it("covers the pixel under the thinnest brush, wherever in it", () => {
    for (const [x, y] of [
      [4, 5],
      [4.999, 5.999],
      [4.5, 5.01],
    ] as const) {
      const mask = maskOf([{ radius: 0.01, erases: false, points: [{ x, y }] }], extent);
      expect(mask[5 * extent.width + 4]).toBe(HOLE);
    }
  });
});

it("leaves out points that add nothing, and never the way", () => {
  const points = [{ x: 0, y: 0 }];
  for (let x = 0; x <= 100; x += 0.5) extend(points, { x, y: 0 }, 16);
  expect(points.length).toBe(51);
  expect(points.at(-1)).toEqual({ x: 100, y: 0 });
});

it("boxes the hole", () => {
  const mask = new Uint8Array(extent.width * extent.height);
  expect(holeBox(mask, extent)).toBeUndefined();
  mask[3 * extent.width + 20] = HOLE;
  mask[9 * extent.width + 2] = HOLE;
  expect(holeBox(mask, extent)).toEqual({ left: 2, top: 3, right: 21, bottom: 10 });
});
