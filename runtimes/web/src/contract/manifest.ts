// The manifest that every exported model carries: what it is, takes and gives.

import type { Size } from "../types.js";

/** A model's self-description. */
export interface Manifest {
  /** Values of the file's format, such as `name` and `for`. */
  format: Record<string, unknown>;
  /** How pictures go in and out, and whether the output is composited. */
  io: { form: "float" | "uint8"; composite: boolean };
  /** The number of pictures that every run takes; null where it is free. */
  batch: number | null;
  size: { fixed: Size | null; multiple: number; minSize: number; maxSide: number | null };
  /** `fp32` and so on. */
  precision: string;
}

/** Reads a manifest. */
export function readManifest(_json: string): Manifest {
  throw new Error("not written yet");
}
