// Pictures of the browser as pixels, and back.

import type { PictureSource, Pixels } from "../types.js";

/** The pixels of any picture; RGBA where it is no `Pixels` already. */
export function toPixels(_source: PictureSource): Promise<Pixels> {
  throw new Error("not written yet");
}

/** A PNG file that holds these very pixels. */
export function encodePng(_pixels: Pixels): Promise<Blob> {
  throw new Error("not written yet");
}
