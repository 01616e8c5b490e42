import { beforeEach, expect, it } from "vitest";
import { Gestures } from "../../../../pages/demo/editing/gestures.js";

const at = (x: number, y = 0) => ({ x, y });

let hand: Gestures;
beforeEach(() => {
  hand = new Gestures();
});

it("one pointer draws from where it comes down to where it leaves", () => {
  expect(hand.move(1, at(5))).toBeUndefined(); // hovering
  expect(hand.down(1, at(5), false)).toEqual({ kind: "draw", at: at(5), first: true });
  expect(hand.move(1, at(9))).toEqual({ kind: "draw", at: at(9), first: false });
  expect(hand.up(1)).toEqual({ kind: "lift" });
  expect(hand.move(1, at(12))).toBeUndefined();
});

it("one pointer pans where that is asked", () => {
  expect(hand.down(1, at(5), true)).toBeUndefined();
  expect(hand.move(1, at(9, 2))).toEqual({ kind: "pan", by: at(4, 2) });
  expect(hand.up(1)).toBeUndefined();
});

it("a second finger that comes at once pinches, and nothing was drawn", () => {
  hand.down(1, at(10), false);
  hand.move(1, at(12));
  expect(hand.down(2, at(50), false)).toEqual({ kind: "drop" });
  expect(hand.move(2, at(60))).toEqual({
    kind: "pinch",
    before: [at(12), at(50)],
    after: [at(12), at(60)],
  });
  expect(hand.up(2)).toBeUndefined();
  expect(hand.move(1, at(99))).toBeUndefined(); // the finger that is left draws nothing
  expect(hand.up(1)).toBeUndefined();
  expect(hand.down(3, at(1), false)).toEqual({ kind: "draw", at: at(1), first: true });
});

it("a second finger that comes late leaves the stroke that was drawn", () => {
  hand.down(1, at(10), false);
  hand.move(1, at(60));
  expect(hand.down(2, at(90), false)).toEqual({ kind: "lift" });
});

it("a pointer that the system takes away leaves no stroke", () => {
  hand.down(1, at(10), false);
  expect(hand.up(1, true)).toEqual({ kind: "drop" });
});
