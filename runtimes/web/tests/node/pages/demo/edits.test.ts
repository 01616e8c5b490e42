import { beforeEach, describe, expect, it } from "vitest";
import { Edits } from "../../../../pages/demo/editing/edits.js";
import type { Pixels } from "../../../../src/types.js";

const [width, height, channels] = [16, 12, 3] as const;

function picture(): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, (_, at) => (at * 7) % 251);
  return { data, width, height, channels };
}

const dot = (x: number, y: number, erases = false) => ({ radius: 2, erases, points: [{ x, y }] });

/** What a model that paints the hole in one colour makes of it. */
function filled(edits: Edits, value: number) {
  const data = edits.picture.data.map((old, at) =>
    edits.mask[Math.floor(at / channels)] ? value : old,
  );
  return { ...edits.picture, data };
}

let edits: Edits;
beforeEach(() => {
  edits = new Edits(picture());
});

describe("undo and redo", () => {
  it("go through strokes of brush and eraser", () => {
    const masks = [edits.mask.slice()];
    for (const stroke of [dot(4, 4), dot(9, 6), dot(4, 4, true)]) {
      edits.add(stroke);
      masks.push(edits.mask.slice());
    }
    for (const mask of masks.slice(0, -1).reverse()) {
      expect(edits.undo()).toBe("hole");
      expect(edits.mask).toEqual(mask);
    }
    expect(edits.undo()).toBeUndefined();
    for (const mask of masks.slice(1)) {
      expect(edits.redo()).toBe("hole");
      expect(edits.mask).toEqual(mask);
    }
    expect(edits.redo()).toBeUndefined();
  });

  it("go through fills, to the very bytes", () => {
    const states: Uint8Array[] = [];
    const keep = () => states.push(Uint8Array.from(edits.picture.data), edits.mask.slice());
    edits.add(dot(4, 4));
    keep();
    edits.fill(filled(edits, 200));
    edits.add(dot(5, 5)); // over what was filled
    keep();
    edits.fill(filled(edits, 90));
    keep();
    const here = () => [Uint8Array.from(edits.picture.data), edits.mask.slice()];
    expect(here()).toEqual(states.slice(4));
    expect(edits.undo()).toEqual({ left: 3, top: 3, right: 7, bottom: 7 });
    expect(here()).toEqual(states.slice(2, 4));
    expect(edits.undo()).toBe("hole");
    expect(edits.undo()).toEqual({ left: 2, top: 2, right: 6, bottom: 6 });
    expect(here()).toEqual(states.slice(0, 2));
    edits.redo();
    edits.redo();
    expect(here()).toEqual(states.slice(2, 4));
    edits.redo();
    expect(here()).toEqual(states.slice(4));
  });

  it("forget what was undone when something new is done", () => {
    edits.add(dot(4, 4));
    edits.undo();
    edits.add(dot(9, 9));
    expect(edits.canRedo).toBe(false);
    expect(edits.strokes).toEqual([dot(9, 9)]);
  });
});

it("a fill takes the hole away, and changes nothing outside its box", () => {
  edits.add(dot(4, 4));
  const whole = edits.picture.data.map(() => 1); // a model that breaks its contract
  const box = edits.fill({ ...edits.picture, data: whole });
  expect(box).toEqual({ left: 2, top: 2, right: 6, bottom: 6 });
  expect(edits.hasHole).toBe(false);
  const before = picture().data;
  edits.picture.data.forEach((value, at) => {
    const pixel = Math.floor(at / channels);
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    const inside = x >= box.left && x < box.right && y >= box.top && y < box.bottom;
    expect(value).toBe(inside ? 1 : before[at]);
  });
});

it("a fill of another size, or without a hole, is refused", () => {
  expect(() => edits.fill(edits.picture)).toThrow();
  edits.add(dot(4, 4));
  expect(() => edits.fill({ ...picture(), data: new Uint8Array(3) })).toThrow();
});

it("tells how much is hole", () => {
  expect([edits.hasHole, edits.holeShare]).toEqual([false, 0]);
  edits.add(dot(4, 4));
  expect(edits.hasHole).toBe(true);
  expect(edits.holeShare).toBeCloseTo(12 / (width * height));
});

it("keeps no more than it may: the oldest fills cannot be undone then", () => {
  const few = new Edits(picture(), 4 * 4 * channels * 2);
  for (const [x, value] of [
    [3, 200],
    [8, 90],
    [12, 10],
  ] as const) {
    few.add(dot(x, 6));
    few.fill(filled(few, value));
  }
  const undone = [few.undo(), few.undo(), few.undo(), few.undo(), few.undo()];
  const kinds = undone.map((changed) => (typeof changed === "object" ? "picture" : changed));
  expect(kinds).toEqual(["picture", "hole", "picture", "hole", undefined]);
});
