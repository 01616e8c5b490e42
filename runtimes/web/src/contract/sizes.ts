// The input and output contract of every exported model: tensors, forms and sizes.

import type { Size } from "../types.js";

/** Why a model does not take a size. */
export interface SizeProblem {
  /** A stable name, the same in every wrapper. */
  code: "size_other" | "size_too_large" | "size_not_multiple" | "size_too_small";
  /** In words, for a message. */
  description: string;
}

/** Which sizes a model accepts. Sides are positive; `maxSide` is accepted itself. */
export interface SizePolicy {
  /** The one size of a fixed-size model; null for a dynamic one. */
  fixed: Size | null;
  /** Height and width must be multiples of this. */
  multiple: number;
  /** Smallest height and width, in pixels. */
  minSize: number;
  /** Largest height and width of a dynamic model, in pixels; null is any. */
  maxSide: number | null;
}

/**
 * How pictures go in and out of a model: planar float32 from 0 to 1, interleaved bytes, or Core
 * ML's own pictures, which nothing here runs.
 */
export type IoForm = "float" | "uint8" | "image";

/** What goes in and comes out of a model. */
export interface IoSpec {
  form: IoForm;
  /** Whether known pixels come back unchanged; otherwise the output is the raw fill. */
  composite: boolean;
}

/** One input or output of a model, in the words of the manifest. */
export interface TensorSpec {
  name: string;
  dtype: "float32" | "uint8";
  /** Order of the axes; the batch size is free where the manifest has no `batch`. */
  layout: "NCHW" | "NHWC";
  channels: number;
}

/** The two inputs `image` (RGB) and `mask` (above 0 is hole), and the one output (RGB). */
export function tensorSpecs(io: IoSpec): readonly [TensorSpec, TensorSpec, TensorSpec] {
  const spec = (name: string, channels: number): TensorSpec =>
    io.form === "float"
      ? { name, dtype: "float32", layout: "NCHW", channels }
      : { name, dtype: "uint8", layout: "NHWC", channels };
  return [spec("image", 3), spec("mask", 1), spec(io.composite ? "inpainted" : "predicted", 3)];
}

/** The shape of one of a model's tensors for pictures of a size. */
export function shapeOf(spec: TensorSpec, size: Size, pictures = 1): number[] {
  return spec.layout === "NCHW"
    ? [pictures, spec.channels, size.height, size.width]
    : [pictures, size.height, size.width, spec.channels];
}

/** Says why a model does not take a size; null when it does. */
export function problemWith(policy: SizePolicy, size: Size): SizeProblem | null {
  if (policy.fixed) {
    if (sameSize(size, policy.fixed)) return null;
    const only = `the model takes ${spelled(policy.fixed)} (height x width) only`;
    return { code: "size_other", description: only };
  }
  const sides = "height and width must be";
  if (policy.maxSide !== null && Math.max(size.height, size.width) > policy.maxSide) {
    return { code: "size_too_large", description: `${sides} at most ${policy.maxSide}` };
  }
  if (size.height % policy.multiple !== 0 || size.width % policy.multiple !== 0) {
    const next = { height: sideFor(policy, size.height), width: sideFor(policy, size.width) };
    const description = `${sides} multiples of ${policy.multiple}; next is ${spelled(next)}`;
    return { code: "size_not_multiple", description };
  }
  if (Math.min(size.height, size.width) < policy.minSize) {
    return { code: "size_too_small", description: `${sides} at least ${policy.minSize}` };
  }
  return null;
}

/** The smallest side of a dynamic model that is no smaller than this one. */
export function sideFor(policy: SizePolicy, side: number): number {
  return roundedUp(Math.max(side, policy.minSize), policy.multiple);
}

export function sameSize(one: Size, other: Size): boolean {
  return one.height === other.height && one.width === other.width;
}

/** Height x width, as the command line spells sizes. */
export function spelled(size: Size): string {
  return `${size.height}x${size.width}`;
}

/** Width x height, and so said, for messages about pictures. */
export function spelledPicture(size: Size): string {
  return `${size.width}x${size.height} (width x height)`;
}

export function roundedUp(side: number, multiple: number): number {
  return Math.ceil(side / multiple) * multiple;
}
