/** Shows what goes into a model and what comes out: raw values as pixels. */

import type { Picture } from "./protocol.js";

type Form = "float" | "uint8";
// What lies over the hole: the pages' accent, light.
const OVER = [39, 87, 196] as const;
const SHARE = 0.6;

/** Draws a picture with its hole marked, or a model's output for it. */
export function draw(picture: Picture, output?: ArrayBuffer): ImageData {
  const { height, width } = picture;
  const form = formOf(picture);
  const image = colours(output ?? picture.image, form, height * width);
  if (output === undefined) mark(image, picture.mask, form);
  return new ImageData(image, width, height);
}

/** Which form a picture's values have: floats take four times the bytes. */
function formOf({ image, height, width }: Picture): Form {
  return image.byteLength === 12 * height * width ? "float" : "uint8";
}

function colours(
  values: ArrayBuffer,
  form: Form,
  pixels: number,
): Uint8ClampedArray<ArrayBuffer> {
  const found = new Uint8ClampedArray(4 * pixels).fill(255);
  const bytes = new Uint8Array(values);
  const floats = form === "float" ? new Float32Array(values) : null;
  for (let at = 0; at < pixels; at++) {
    for (let channel = 0; channel < 3; channel++) {
      // Planar floats from 0 to 1, or interleaved bytes.
      found[4 * at + channel] =
        floats === null
          ? (bytes[3 * at + channel] ?? 0)
          : 255 * (floats[channel * pixels + at] ?? 0);
    }
  }
  return found;
}

function mark(image: Uint8ClampedArray, mask: ArrayBuffer, form: Form): void {
  const holes = form === "float" ? new Float32Array(mask) : new Uint8Array(mask);
  for (let at = 0; 4 * at < image.length; at++) {
    if ((holes[at] ?? 0) === 0) continue;
    for (const [channel, colour] of OVER.entries()) {
      const index = 4 * at + channel;
      image[index] = (1 - SHARE) * (image[index] ?? 0) + SHARE * colour;
    }
  }
}
