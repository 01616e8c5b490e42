// The windows of a picture that a model shall see, so that every hole of a mask is filled.

import type { Size } from "../types.js";
import {
  type Box,
  boxOf,
  boxRound,
  boxSize,
  compareBoxes,
  grownTo,
  halves,
  holeBoxes,
  overlaps,
  withMargins,
} from "./boxes.js";
import { type Hole, isEmpty } from "./hole.js";
import { type SizePolicy, sideFor } from "./sizes.js";

/** What the model sees of a picture, and what of that it fills. */
export interface Window {
  /** The rectangle that the model sees; hole pixels anywhere in it are hole to the model. */
  view: Box;
  /** The rectangle inside `view` whose hole pixels are filled from it. */
  hole: Box;
}

/** How large a window may be, and what the model makes of it. */
export class Working {
  /**
   * @param policy the sizes that the model takes.
   * @param maxSide largest side of what a dynamic model is given, in pixels, if that is less than
   *   its own; null is any. A fixed-size model's own size takes its place.
   */
  constructor(
    readonly policy: SizePolicy,
    readonly maxSide: number | null,
  ) {}

  /** Largest height and width that are given to the model unshrunk. */
  get limits(): Size {
    if (this.policy.fixed) return this.policy.fixed;
    const any = Number.POSITIVE_INFINITY;
    const side = Math.min(this.maxSide ?? any, this.policy.maxSide ?? any);
    return { height: side, width: side };
  }

  /** By how much a window is shrunk for the model; 1 when it is not. */
  shrinkage(window: Size): number {
    const most = this.limits;
    return Math.max(1, window.height / most.height, window.width / most.width);
  }

  /**
   * The size of what is left of a window, before padding: the largest one of the same aspect ratio
   * that fits. It never grows.
   */
  shrunk(window: Size): Size {
    const most = this.limits;
    const scale = Math.min(1, most.height / window.height, most.width / window.width);
    const side = (whole: number, limit: number) =>
      Math.max(1, Math.min(limit, roundedToEven(whole * scale)));
    return { height: side(window.height, most.height), width: side(window.width, most.width) };
  }

  /** The size of what the model is given, padding included. */
  seen(window: Size): Size {
    if (this.policy.fixed) return this.policy.fixed;
    const small = this.shrunk(window);
    return { height: sideFor(this.policy, small.height), width: sideFor(this.policy, small.width) };
  }

  /** The number of pixels that the model is given for a window. */
  pixels(window: Size): number {
    const { height, width } = this.seen(window);
    return height * width;
  }
}

/** The nearest whole number, of two the even one. */
function roundedToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below === 0.5) return below + (below % 2);
  return Math.round(value);
}

/**
 * The windows to fill a picture's holes from, from top to bottom; none when there is no hole.
 *
 * Each of `holeBoxes` that would be shrunk is first cut where a whole row or column of it is known.
 * A window is such a box with a margin on each side where the picture has it, less of it where the
 * window would else be shrunk: with s, the root of the box's area, 64 + s/3 pixels, and no less
 * than 32 + s/4. Two are replaced by one round both where that costs the model fewer pixels and
 * shrinks neither more, or where the hole of one reaches into the other's. Last, a window grows
 * into the picture where the model would be given padding.
 *
 * Every hole pixel is in the `hole` of exactly one window. Windows may overlap, and see holes that
 * others fill: as holes, not as filled, so that no result depends on their order.
 */
export function holeWindows(hole: Hole, working: Working): Window[] {
  const picture = boxOf(hole);
  let windows: Window[] = [];
  for (const whole of holeBoxes(hole)) {
    for (const box of cut(whole, hole, working)) {
      let state = absorbed(contextWindow(box, picture, working), windows);
      for (
        let joined = bestJoin(state, working);
        joined !== null;
        joined = bestJoin(state, working)
      ) {
        state = joined;
      }
      windows = [...state.kept, state.window];
    }
  }
  return windows
    .map(({ view, hole: box }) => ({ view: filledUp(view, picture, working), hole: box }))
    .sort((one, other) => compareBoxes(one.view, other.view) || compareBoxes(one.hole, other.hole));
}

/** The one window that sees and fills everything; none when there is no hole. */
export function wholePicture(hole: Hole): Window[] {
  const picture = boxOf(hole);
  return isEmpty(hole) ? [] : [{ view: picture, hole: picture }];
}

function contextWindow(box: Box, picture: Box, working: Working): Window {
  const { height, width } = boxSize(box);
  const [good, least] = margins(height * width);
  const { limits } = working;
  const shrinkage = working.shrinkage({
    height: Math.min(height + 2 * least, picture.bottom),
    width: Math.min(width + 2 * least, picture.right),
  });
  const room = (limit: number, side: number) =>
    Math.min(good, Math.max(least, Math.trunc(Math.trunc(limit * shrinkage - side) / 2)));
  const down = room(limits.height, height);
  const across = room(limits.width, width);
  return { view: withMargins(box, down, across, picture), hole: box };
}

/**
 * The good and the least margin round a hole's box of an area, in pixels; how they were measured is
 * in docs/how-to/inpainting.md.
 */
function margins(area: number): readonly [number, number] {
  const side = integerRoot(area);
  return [64 + Math.floor(side / 3), 32 + Math.floor(side / 4)];
}

/** Cuts a box along known rows and columns until its parts need no shrinking. */
function cut(whole: Box, hole: Hole, working: Working): Box[] {
  const picture = boxOf(hole);
  const done: Box[] = [];
  const left = [whole];
  for (let box = left.pop(); box !== undefined; box = left.pop()) {
    const { view } = contextWindow(box, picture, working);
    const parts = working.shrinkage(boxSize(view)) <= 1 ? [] : halves(box, hole);
    left.push(...parts);
    if (parts.length === 0) done.push(box);
  }
  return done.sort(compareBoxes);
}

function windowRound(one: Window, other: Window): Window {
  return { view: boxRound(one.view, other.view), hole: boxRound(one.hole, other.hole) };
}

/** A new window, and the older ones that it leaves. */
interface Absorbed {
  window: Window;
  kept: readonly Window[];
}

/** The window round it and all whose holes it overlaps, and the other windows. */
function absorbed(start: Window, windows: readonly Window[]): Absorbed {
  let window = start;
  let kept = windows;
  for (;;) {
    const hole = window.hole;
    const hits = kept.filter((other) => overlaps(other.hole, hole));
    if (hits.length === 0) return { window, kept };
    kept = kept.filter((other) => !overlaps(other.hole, hole));
    window = hits.reduce(windowRound, window);
  }
}

/** The join of the window with an older one that saves the model most pixels; null if none does. */
function bestJoin({ window, kept }: Absorbed, working: Working): Absorbed | null {
  const shrinkage = (one: Window) => working.shrinkage(boxSize(one.view));
  const pixels = (one: Window) => working.pixels(boxSize(one.view));
  const total = (join: Absorbed) =>
    join.kept.reduce((sum, one) => sum + pixels(one), pixels(join.window));
  const before = total({ window, kept });
  let best: Absorbed | null = null;
  let most = 0;
  for (const other of kept) {
    if (!working.policy.fixed && !overlaps(other.view, window.view)) continue;
    const leastShrunk = Math.min(shrinkage(window), shrinkage(other));
    const both = windowRound(window, other);
    if (shrinkage(both) > leastShrunk) continue;
    const join = absorbed(both, kept);
    const saved = before - total(join);
    if (shrinkage(join.window) <= leastShrunk && saved > most) {
      most = saved;
      best = join;
    }
  }
  return best;
}

/** The view with real pixels where the model would be given padding. */
function filledUp(view: Box, picture: Box, working: Working): Box {
  const shrinkage = working.shrinkage(boxSize(view));
  const seen = working.seen(boxSize(view));
  const height = Math.trunc(seen.height * shrinkage);
  return grownTo(view, { height, width: Math.trunc(seen.width * shrinkage) }, picture);
}

/** The largest whole number whose square is at most this one, which is from 0 to 2 to the 53rd. */
export function integerRoot(number: number): number {
  const root = Math.floor(Math.sqrt(number));
  return root * root > number ? root - 1 : root;
}
