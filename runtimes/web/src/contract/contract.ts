// The whole contract: window, shrink, pad, run the model, crop, composite, enlarge, composite.

import type { MaskRules, Pixels, Report, Strategy } from "../types.js";
import type { Manifest } from "./manifest.js";

/** What the contract wants of a model: arrays in the model's own form (float32 planar 0 to 1, or
 * uint8 interleaved), of a size that its manifest accepts. */
export interface ContractModel {
  manifest: Manifest;
  run(
    image: Float32Array | Uint8Array,
    mask: Float32Array | Uint8Array,
    height: number,
    width: number,
  ): Promise<Float32Array | Uint8Array>;
}

/** What is asked of one picture. */
export interface ContractOptions {
  strategy?: Strategy | undefined;
  maxSide?: number | undefined;
  mask?: MaskRules | undefined;
  /** Memory in bytes that a run may take; left out, unknown. */
  freeBytes?: number | undefined;
}

/** Fills the hole of a picture of any size. */
export function inpaintPixels(
  _picture: Pixels,
  _mask: Pixels,
  _model: ContractModel,
  _options: ContractOptions = {},
): Promise<{ pixels: Pixels; report: Report }> {
  throw new Error("not written yet");
}
