/** Shows what goes into a model and what comes out: raw values as pixels. */

import type { Picture } from "./protocol.js";

// What lies over the hole: the pages' accent.
const OVER = [39, 87, 196] as const;
const SHARE = 0.8;

/** Draws a picture with its hole marked, or filled with a model's output. */
export function draw(picture: Picture, output?: ArrayBuffer): ImageData {
  const { height, width } = picture;
  const pixels = height * width;
  // Floats take four times the bytes.
  const read = picture.mask.byteLength === 4 * pixels ? floats : bytes;
  const [image, mask] = [read(picture.image, pixels), read(picture.mask, pixels)];
  const filled = output && read(output, pixels);
  const shown = new ImageData(width, height);
  for (let at = 0; at < pixels; at++) {
    const isHole = mask(at, 0, 1) > 0;
    for (let channel = 0; channel < 3; channel++) {
      const known = image(at, channel, 3);
      shown.data[4 * at + channel] = !isHole
        ? known
        : filled !== undefined
          ? filled(at, channel, 3)
          : (1 - SHARE) * known + SHARE * (OVER[channel] ?? 0);
    }
    shown.data[4 * at + 3] = 255;
  }
  return shown;
}

/** Gives a pixel's channel, 0 to 255, of so many channels. */
type Read = (pixel: number, channel: number, channels: number) => number;

/** Interleaved bytes. */
function bytes(values: ArrayBuffer): Read {
  const all = new Uint8Array(values);
  return (pixel, channel, channels) => all[pixel * channels + channel] ?? 0;
}

/** Planar floats from 0 to 1. */
function floats(values: ArrayBuffer, pixels: number): Read {
  const all = new Float32Array(values);
  return (pixel, channel) => 255 * (all[channel * pixels + pixel] ?? 0);
}
