/** A picture as a canvas to draw from: what is seen; what is saved stays in bytes beside it. */

import type { Pixels } from "../../../src/types.js";
import type { Box } from "./geometry.js";

/**
 * @throws Error where the browser has no memory for it.
 */
export function canvasOf(picture: Pixels): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const { width, height } = picture;
  show(canvas, picture, { left: 0, top: 0, right: width, bottom: height });
  return canvas;
}

/** Shows a picture's pixels in a box anew. */
export function show(canvas: HTMLCanvasElement, { data, width, channels }: Pixels, box: Box): void {
  const context = canvas.getContext("2d");
  if (context === null) {
    throw new Error("this browser has no memory for a picture of this size");
  }
  const seen = new ImageData(box.right - box.left, box.bottom - box.top);
  for (let y = box.top, to = 0; y < box.bottom; y++) {
    let from = (y * width + box.left) * channels;
    for (let x = box.left; x < box.right; x++, from += channels, to += 4) {
      const first = data[from] as number;
      seen.data[to] = first;
      seen.data[to + 1] = channels === 1 ? first : (data[from + 1] as number);
      seen.data[to + 2] = channels === 1 ? first : (data[from + 2] as number);
      seen.data[to + 3] = channels === 4 ? (data[from + 3] as number) : 255;
    }
  }
  context.putImageData(seen, box.left, box.top);
}
