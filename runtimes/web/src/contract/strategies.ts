// Which windows of a picture the model shall see: the strategies, and how `auto` chooses.

import { LamaEdgeError } from "../errors.js";
import type { Size, Strategy } from "../types.js";
import { boxSize } from "./boxes.js";
import { type Hole, isEmpty } from "./hole.js";
import { type SizePolicy, spelledPicture } from "./sizes.js";
import { holeWindows, integerRoot, type Window, Working, wholePicture } from "./windows.js";

/** The largest side where none is given, and the smallest that is accepted, in pixels. */
export const DEFAULT_MAX_SIDE = 1024;
export const LEAST_MAX_SIDE = 64;

const STRATEGIES: readonly string[] = ["auto", "full", "crop", "resize"];
// Crops that see this share of the picture save little, and one run is simpler than several.
const NEARLY_ALL = 0.7;
// Of the free memory: the estimate is good to a tenth, and others want some too.
const USABLE_SHARE = 0.8;
// Beyond it an estimate of memory says no more than that there is too little.
const MOST_FEATURES = 2 ** 20;

/** What is known of a model before it runs. */
export interface ModelFacts {
  /** The sizes that it takes. */
  size: SizePolicy;
  /** What a run takes beside the open model at its peak, for each pixel that the model sees. */
  readonly bytesPerPixel: number;
}

/** A stable name of why a strategy was chosen, the same in every wrapper. */
export type ReasonCode =
  | "no_hole"
  | "as_asked"
  | "within_model"
  | "beyond_model"
  | "share_seen"
  | "no_memory_for_crop";

/** A strategy, and why. */
export interface Choice {
  /** `none` when the mask has no hole. */
  strategy: "none" | "full" | "crop" | "resize";
  code: ReasonCode;
  /** In words, for a log. */
  reason: string;
  /** Largest side of what a dynamic model is given, in pixels; null is its own. */
  maxSide: number | null;
  /** Whether the one window is the whole picture; else there is one round each hole. */
  whole: boolean;
  /** What the caller should know, and what to do about it; empty where there is nothing. */
  warning: string;
}

/** A choice, with its windows. */
export interface Plan {
  choice: Choice;
  /** What the model sees and fills; none when there is no hole. */
  windows: readonly Window[];
  /** How large the model is given them. */
  working: Working;
}

/** What is asked of a plan. */
export interface PlanOptions {
  strategy?: Strategy | undefined;
  /**
   * Largest side of what a dynamic model is given by `crop` and `resize`, in pixels, at least 64;
   * else 1024. Fixed-size models go by their size.
   */
  maxSide?: number | undefined;
  /** Memory in bytes that a run may take; none when nobody knows. */
  freeBytes?: number | undefined;
}

/**
 * Chooses the windows that the model shall see.
 *
 * Throws a `LamaEdgeError` of kind `usage` when there is no such strategy, or `maxSide` cannot be
 * used, or not with the strategy.
 */
export function plan(hole: Hole, model: ModelFacts, options: PlanOptions = {}): Plan {
  const strategy = options.strategy ?? "auto";
  const asked = options.maxSide ?? null;
  checkOptions(strategy, asked);
  const policy = model.size;
  const side = Math.min(asked ?? DEFAULT_MAX_SIDE, policy.maxSide ?? Number.POSITIVE_INFINITY);
  if (isEmpty(hole)) {
    const reason = "the mask has no hole";
    const none = { strategy: "none", code: "no_hole", reason } as const;
    const choice = { ...none, maxSide: side, whole: true, warning: "" };
    return { choice, windows: [], working: new Working(policy, null) };
  }
  const cropped = holeWindows(hole, new Working(policy, side));
  const situation = new Situation(hole, model, cropped, side, options.freeBytes ?? null);
  const choice = strategy === "auto" ? choose(situation) : asAsked(strategy, situation);
  const working = new Working(policy, choice.maxSide);
  if (choice.whole) return { choice, windows: wholePicture(hole), working };
  const windows = choice.maxSide === side ? cropped : holeWindows(hole, working);
  return { choice, windows, working };
}

function checkOptions(strategy: string, maxSide: number | null): void {
  if (!STRATEGIES.includes(strategy)) {
    const message = `there is no strategy '${strategy}': give one of ${STRATEGIES.join(", ")}`;
    throw new LamaEdgeError("usage", message);
  }
  if (maxSide === null) return;
  const given = `maxSide ${maxSide}`;
  if (!Number.isSafeInteger(maxSide)) {
    throw new LamaEdgeError("usage", `${given} is no whole number: give pixels`);
  }
  if (maxSide < LEAST_MAX_SIDE) {
    const message = `${given} is too small: give at least ${LEAST_MAX_SIDE} pixels`;
    throw new LamaEdgeError("usage", message, "max_side_too_small");
  }
  if (strategy === "full") {
    const message = `${given} has no effect on the strategy full: leave one of them out`;
    throw new LamaEdgeError("usage", message, "max_side_unused");
  }
}

/** What `auto` decides from. */
class Situation {
  policy: SizePolicy;
  readonly bytesPerPixel: number;
  free: number;
  /** Pixels that the model sees in the whole picture. */
  fullPixels: number;
  /** Pixels that it sees in the windows round the holes, all together, and in the largest. */
  cropPixels: number;
  largestPixels: number;

  constructor(
    readonly picture: Size,
    model: ModelFacts,
    windows: readonly Window[],
    readonly maxSide: number,
    freeBytes: number | null,
  ) {
    this.policy = model.size;
    this.bytesPerPixel = Math.max(1, model.bytesPerPixel);
    this.free = freeBytes === null ? Number.POSITIVE_INFINITY : Math.max(0, freeBytes);
    this.fullPixels = new Working(model.size, null).pixels(picture);
    const working = new Working(model.size, maxSide);
    const pixels = windows.map((window) => working.pixels(boxSize(window.view)));
    this.cropPixels = pixels.reduce((sum, one) => sum + one, 0);
    this.largestPixels = pixels.reduce((most, one) => Math.max(most, one), 0);
  }

  get usableBytes(): number {
    return Math.trunc(this.free * USABLE_SHARE);
  }

  /** The memory that a run over so many pixels takes. */
  bytesFor(pixels: number): number {
    return pixels * this.bytesPerPixel;
  }

  fits(pixels: number): boolean {
    return this.bytesFor(pixels) <= this.usableBytes;
  }

  get named(): string {
    return `the picture of ${spelledPicture(this.picture)}`;
  }
}

/**
 * Chooses for `auto`.
 *
 * A fixed-size model gets the whole picture where that fits it, else crops. A dynamic one gets the
 * whole picture where crops would see nearly all of it and it is no larger than `maxSide`, else
 * crops of at most `maxSide`. What does not fit the free memory is shrunk until it does, with a
 * warning.
 */
function choose(s: Situation): Choice {
  if (s.policy.fixed) return chooseForFixed(s, s.policy.fixed);
  const share = Math.round(Math.min(1, s.cropPixels / s.fullPixels) * 100);
  const seen = {
    code: "share_seen",
    reason: `${s.named}, of which crops see ${share}%`,
    warning: "",
  } as const;
  const larger = Math.max(s.picture.height, s.picture.width) > s.maxSide;
  if (s.cropPixels >= NEARLY_ALL * s.fullPixels && !larger && s.fits(s.fullPixels)) {
    return { strategy: "full", ...seen, maxSide: null, whole: true };
  }
  if (s.fits(s.largestPixels)) {
    return { strategy: "crop", ...seen, maxSide: s.maxSide, whole: false };
  }
  return shortOfMemory(s);
}

function chooseForFixed(s: Situation, fixed: Size): Choice {
  const model = `the model's ${fixed.width}x${fixed.height}`;
  if (s.picture.height <= fixed.height && s.picture.width <= fixed.width) {
    const reason = `${s.named} is within ${model}`;
    const within = { strategy: "full", code: "within_model", reason } as const;
    return { ...within, maxSide: null, whole: true, warning: "" };
  }
  const reason = `${s.named} is beyond ${model}`;
  const beyond = { strategy: "crop", code: "beyond_model", reason } as const;
  return { ...beyond, maxSide: s.maxSide, whole: false, warning: "" };
}

function shortOfMemory(s: Situation): Choice {
  const takes = `a crop takes about ${gibibytes(s.bytesFor(s.largestPixels))}`;
  const reason = `${s.named}: ${takes} and ${gibibytes(s.free)} are free`;
  const step = s.policy.multiple;
  const root = integerRoot(Math.trunc(s.usableBytes / s.bytesPerPixel));
  const fitting = Math.floor(root / step) * step;
  const side = Math.min(Math.max(LEAST_MAX_SIDE, fitting), s.maxSide);
  const warning =
    `${reason}, so the fill is made at ${side} pixels a side: free memory, or give maxSide ` +
    `${side} to say so yourself`;
  const short = { strategy: "resize", code: "no_memory_for_crop", reason } as const;
  return { ...short, maxSide: side, whole: false, warning };
}

function asAsked(strategy: Exclude<Strategy, "auto">, s: Situation): Choice {
  const pixels = { full: s.fullPixels, crop: s.largestPixels, resize: 0 }[strategy];
  const warning = s.fits(pixels)
    ? ""
    : `the strategy ${strategy} takes about ${gibibytes(s.bytesFor(pixels))} and ` +
      `${gibibytes(s.free)} are free: should it fail, use resize with a smaller maxSide`;
  return {
    strategy,
    code: "as_asked",
    reason: "as asked",
    maxSide: strategy === "full" ? null : s.maxSide,
    whole: strategy !== "crop",
    warning,
  };
}

function gibibytes(amount: number): string {
  return `${(Math.round((amount / 2 ** 30) * 10) / 10).toFixed(1)} GiB`;
}

/**
 * What a run takes beside the open model at its peak, in bytes for each pixel that the model sees.
 *
 * An estimate from peaks of native ONNX Runtime on the processor (docs/how-to/inpainting.md): 48 bytes
 * for the picture, the mask and the result in float32, and float32 maps of each feature of the first
 * layer: six, or three where the graph's convolutions run in bands.
 *
 * @param features of the first layer, the manifest's `ngf`; any number.
 */
export function runBytesPerPixel(features: number, inBands: boolean): number {
  return 48 + (inBands ? 12 : 24) * Math.min(MOST_FEATURES, Math.max(0, features));
}
