// What the browser decodes, as pixels.

import { LamaEdgeError, oneLine } from "../errors.js";
import type { Pixels } from "../types.js";

/** Side in pixels of the canvas through which a picture is read, piece by piece: the limits of
 * canvases differ, 16 million pixels on phones. */
const TILE = 2048;

export type Drawable = ImageBitmap | HTMLCanvasElement | OffscreenCanvas | HTMLImageElement;

/** Reads straight RGBA out of an ImageBitmap, as many bytes as it has pixels by 4. */
type StraightReader = (bitmap: ImageBitmap, into: Uint8Array) => void;

/**
 * The pixels of something drawable in sRGB, RGBA, upright.
 *
 * A 2D canvas holds colours multiplied with alpha, so what it gives back is exact where alpha is 255
 * alone. Pieces with other alpha are read again through WebGL, which leaves colours straight; not of
 * a canvas, which has lost them already.
 */
export async function readDrawable(source: Drawable, size: [number, number]): Promise<Pixels> {
  const [width, height] = size;
  const data = new Uint8ClampedArray(4 * width * height);
  const canvas = new OffscreenCanvas(Math.min(width, TILE), Math.min(height, TILE));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw unreadable("this browser has no 2D canvas");
  // Nothing of the piece before may show through.
  context.globalCompositeOperation = "copy";
  const isCanvas = !("close" in source || "naturalWidth" in source);
  const straight = isCanvas ? null : straightReader();
  try {
    for (let top = 0; top < height; top += TILE) {
      for (let left = 0; left < width; left += TILE) {
        const [w, h] = [Math.min(TILE, width - left), Math.min(TILE, height - top)];
        context.drawImage(source, left, top, w, h, 0, 0, w, h);
        const piece = context.getImageData(0, 0, w, h).data;
        if (straight && !isOpaque(piece)) {
          const options: ImageBitmapOptions = { premultiplyAlpha: "none" };
          const bitmap = await createImageBitmap(source, left, top, w, h, options);
          straight.read(bitmap, new Uint8Array(piece.buffer));
          bitmap.close();
        }
        for (let y = 0; y < h; y++) {
          data.set(piece.subarray(4 * w * y, 4 * w * (y + 1)), 4 * ((top + y) * width + left));
        }
      }
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "SecurityError") {
      throw unreadable("it comes from another origin, which has to allow it (crossorigin)");
    }
    throw unreadable(oneLine(error));
  } finally {
    straight?.close();
  }
  return { data, width, height, channels: 4 };
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

/** null where there is no WebGL: colours under low alpha are rounded then. */
function straightReader(): { read: StraightReader; close(): void } | null {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (gl === null) return null;
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  return {
    read(bitmap, into) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
      // A context that is lost reads nothing, and says so here.
      if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return;
      gl.readPixels(0, 0, bitmap.width, bitmap.height, gl.RGBA, gl.UNSIGNED_BYTE, into);
    },
    close() {
      gl.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

export function unreadable(why: string): LamaEdgeError {
  return new LamaEdgeError("picture", `the picture cannot be read: ${why}`, "picture_unreadable");
}
