/** What pointers on the stage mean: one draws, or pans where that is asked; two pinch. */

import { distance, type Point } from "./geometry.js";

export type Action =
  /** Where the brush is now; `first` where it was put down. */
  | { readonly kind: "draw"; readonly at: Point; readonly first: boolean }
  /** The stroke is done. */
  | { readonly kind: "lift" }
  /** It was none: a second finger came to pinch. */
  | { readonly kind: "drop" }
  | { readonly kind: "pan"; readonly by: Point }
  | {
      readonly kind: "pinch";
      readonly before: readonly [Point, Point];
      readonly after: readonly [Point, Point];
    };

// A first finger that went further before the second came was drawing, in CSS pixels.
const MOST_BEFORE_PINCH = 24;

/** Makes actions of the pointers that are down. Points are in stage pixels. */
export class Gestures {
  readonly #down = new Map<number, Point>();
  #mode: "none" | "draw" | "pan" | "pinch" = "none";
  #drawn = 0;

  /** @param pans whether this pointer, should it be the only one, moves the picture. */
  down(id: number, at: Point, pans: boolean): Action | undefined {
    this.#down.set(id, at);
    if (this.#down.size === 1) {
      this.#mode = pans ? "pan" : "draw";
      this.#drawn = 0;
      return pans ? undefined : { kind: "draw", at, first: true };
    }
    const drew = this.#mode === "draw";
    this.#mode = "pinch";
    return drew ? { kind: this.#drawn > MOST_BEFORE_PINCH ? "lift" : "drop" } : undefined;
  }

  move(id: number, at: Point): Action | undefined {
    const before = this.#down.get(id);
    if (before === undefined) {
      return undefined;
    }
    const pair = this.#pair();
    this.#down.set(id, at);
    if (this.#mode === "draw") {
      this.#drawn += distance(before, at);
      return { kind: "draw", at, first: false };
    }
    if (this.#mode === "pan") {
      return { kind: "pan", by: { x: at.x - before.x, y: at.y - before.y } };
    }
    const after = this.#pair();
    return pair && after && { kind: "pinch", before: pair, after };
  }

  /** @param cancelled whether the system took the pointer away. */
  up(id: number, cancelled = false): Action | undefined {
    if (!this.#down.delete(id)) {
      return undefined;
    }
    const drew = this.#mode === "draw";
    // What is left of a pinch neither draws nor pans: all fingers have to leave first.
    this.#mode = "none";
    return drew ? { kind: cancelled ? "drop" : "lift" } : undefined;
  }

  #pair(): readonly [Point, Point] | undefined {
    const [first, second] = this.#down.values();
    return first && second && [first, second];
  }
}
