/** A picture, the hole that is painted on it, and all that was done to both, back and forth. */

import type { Pixels } from "../../../src/types.js";
import type { Box } from "./geometry.js";
import { HOLE, holeBox, maskOf, paint, type Stroke } from "./strokes.js";

/** The pixels that a fill changed, as they are on the other side of it. */
interface Patch {
  readonly box: Box;
  readonly other: Uint8Array;
}

type Step = { readonly stroke: Stroke } | { readonly patch: Patch };

/** What went or came back by one step: the hole, or pixels in this box and the hole. */
export type Changed = "hole" | Box;

// What fills may keep to be undone; a fill of all of 12 megapixels is 48 MB.
const MOST_KEPT_BYTES = 256 * 2 ** 20;

/** Strokes and fills, with undo and redo. */
export class Edits {
  /** The picture as it is now; fills, undo and redo write into it. */
  readonly picture: Pixels;
  #mask: Uint8Array;
  #steps: Step[] = [];
  #done = 0;
  readonly #mostKept: number;

  /** @param picture becomes this object's own. */
  constructor(picture: Pixels, mostKept = MOST_KEPT_BYTES) {
    this.picture = picture;
    this.#mask = new Uint8Array(picture.width * picture.height);
    this.#mostKept = mostKept;
  }

  /** The hole as it is now, a byte a pixel: `HOLE` or 0. */
  get mask(): Uint8Array {
    return this.#mask;
  }

  /** What made the hole since the last fill, in order. */
  get strokes(): readonly Stroke[] {
    const done = this.#steps.slice(0, this.#done);
    const lastFill = done.map((step) => "patch" in step).lastIndexOf(true);
    return done.slice(lastFill + 1).flatMap((step) => ("stroke" in step ? [step.stroke] : []));
  }

  get canUndo(): boolean {
    return this.#done > 0;
  }

  get canRedo(): boolean {
    return this.#done < this.#steps.length;
  }

  get hasHole(): boolean {
    return this.#mask.includes(HOLE);
  }

  /** Share of the picture that is hole, 0 to 1. */
  get holeShare(): number {
    let holes = 0;
    for (const value of this.#mask) {
      holes += value && 1;
    }
    return holes / this.#mask.length;
  }

  /** Adds a stroke; what was undone is gone. */
  add(stroke: Stroke): void {
    paint(this.#mask, this.picture, stroke);
    this.#did({ stroke });
  }

  /**
   * Takes over what the model made of picture and hole, of which nothing is left then.
   *
   * @returns the box of what may have changed.
   * @throws Error where the sizes differ, or there is no hole.
   */
  fill(filled: Pixels): Box {
    const { picture } = this;
    const box = holeBox(this.#mask, picture);
    if (box === undefined || filled.data.length !== picture.data.length) {
      throw new Error("what was filled is not this picture");
    }
    const patch = { box, other: cut(filled, box) };
    swap(picture, patch);
    this.#did({ patch });
    this.#mask.fill(0);
    this.#forget();
    return box;
  }

  /** Takes the last step back; undefined where there is none. */
  undo(): Changed | undefined {
    const step = this.#steps[this.#done - 1];
    return step && this.#moved(step, -1);
  }

  /** Takes the step that was undone again; undefined where there is none. */
  redo(): Changed | undefined {
    const step = this.#steps[this.#done];
    return step && this.#moved(step, 1);
  }

  #moved(step: Step, by: 1 | -1): Changed {
    if ("patch" in step) {
      swap(this.picture, step.patch);
    }
    this.#done += by;
    this.#mask = maskOf(this.strokes, this.picture);
    return "patch" in step ? step.patch.box : "hole";
  }

  #did(step: Step): void {
    this.#steps.splice(this.#done, Infinity, step);
    this.#done = this.#steps.length;
  }

  /** Drops the oldest fills, and the strokes before them, where all together are too large. */
  #forget(): void {
    const size = (step: Step) => ("patch" in step ? step.patch.other.length : 0);
    let kept = this.#steps.reduce((sum, step) => sum + size(step), 0);
    while (kept > this.#mostKept) {
      const first = this.#steps.findIndex((step) => "patch" in step);
      kept -= this.#steps.splice(0, first + 1).reduce((sum, step) => sum + size(step), 0);
    }
    this.#done = this.#steps.length;
  }
}

/** Returns a copy of the pixels in a box. */
export function cut({ data, width, channels }: Pixels, box: Box): Uint8Array {
  const row = (box.right - box.left) * channels;
  const pixels = new Uint8Array(row * (box.bottom - box.top));
  for (let y = box.top; y < box.bottom; y++) {
    const start = (y * width + box.left) * channels;
    pixels.set(data.subarray(start, start + row), (y - box.top) * row);
  }
  return pixels;
}

function swap({ data, width, channels, ...rest }: Pixels, { box, other }: Patch): void {
  const now = cut({ data, width, channels, ...rest }, box);
  const row = (box.right - box.left) * channels;
  for (let y = box.top; y < box.bottom; y++) {
    const from = (y - box.top) * row;
    data.set(other.subarray(from, from + row), (y * width + box.left) * channels);
  }
  other.set(now);
}
