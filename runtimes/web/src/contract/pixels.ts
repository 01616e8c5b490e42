// Pictures as values: 8 bits a channel, one, three or four channels.

import { LamaEdgeError } from "../errors.js";
import type { Pixels, Size } from "../types.js";
import { type Box, boxSize } from "./boxes.js";
import type { Hole } from "./hole.js";
import { type AnyBytes, type Bytes, checkBytes, croppedRows, mirroredRows, room } from "./rows.js";

/** A picture in RGB in memory of this library's. */
export interface Rgb extends Pixels {
  data: Bytes;
  channels: 3;
}

/**
 * Throws a `LamaEdgeError` of kind `picture` when this is no picture: no such channels, empty, or
 * another number of bytes than its size and channels make.
 *
 * @param what `picture` or `mask`, for the message.
 */
export function checkPixels(pixels: Pixels, what: string): void {
  const { data, channels } = pixels;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    const message = `the ${what} has no bytes: give a Uint8Array or Uint8ClampedArray as data`;
    throw new LamaEdgeError("picture", message);
  }
  if (![1, 3, 4].includes(channels)) {
    const seen = `the ${what} has ${channels} channels`;
    throw new LamaEdgeError("picture", `${seen}: give 1 (grey), 3 (RGB) or 4 (RGBA)`);
  }
  checkBytes(what, pixels, channels, data.length);
}

/** The part of a picture in a box, which must lie inside it, in RGB: grey repeated, no alpha. */
export function rgbOf({ data, width, channels }: Pixels, box: Box): Rgb {
  const part = croppedRows(data, width, channels, box);
  if (channels === 3) return rgb(boxSize(box), part);
  const levels = room(boxSize(box), 3);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let from = 0, to = 0; to < levels.length; from += channels, to += 3) {
    levels[to] = part[from];
    levels[to + 1] = part[from + green];
    levels[to + 2] = part[from + blue];
  }
  return rgb(boxSize(box), levels);
}

/** A picture in RGB of such bytes. */
export function rgb({ height, width }: Size, data: Bytes): Rgb {
  return { data, width, height, channels: 3 };
}

/** The pixels whose alpha is 0; null where the picture has no alpha. */
export function transparent({ data, height, width, channels }: Pixels): Hole | null {
  if (channels !== 4) return null;
  const flags = room({ height, width }, 1);
  for (let at = 0, alpha = 3; at < flags.length; at++, alpha += 4) {
    flags[at] = Number(data[alpha] === 0);
  }
  return { height, width, flags };
}

export function croppedRgb(picture: Rgb, box: Box): Rgb {
  return rgb(boxSize(box), croppedRows(picture.data, picture.width, 3, box));
}

/**
 * The picture grown at the bottom and right to a size, mirrored with the border pixel repeated: the
 * padding of the official LaMa pipeline.
 */
export function padded(picture: Rgb, to: Size): Rgb {
  return rgb(to, mirroredRows(picture.data, picture, 3, to));
}

/**
 * Fills the hole pixels of one box of a picture in place; every other level, and all of alpha,
 * stays.
 *
 * @param fill of the size of `view`; for a picture of grey its Rec. 601 luma counts.
 * @param view what `fill` shows of the picture.
 * @param hole of the picture's size.
 * @param box inside `view`.
 */
export function paste(picture: Pixels, fill: Rgb, view: Box, hole: Hole, box: Box): void {
  const { data, width, channels } = picture;
  for (let row = box.top; row < box.bottom; row++) {
    const start = row * width;
    let from = ((row - view.top) * fill.width + box.left - view.left) * 3;
    for (let at = start + box.left; at < start + box.right; at++, from += 3) {
      if (hole.flags[at] === 0) continue;
      const to = at * channels;
      if (channels === 1) {
        data[to] = luma(fill.data, from);
      } else {
        data[to] = fill.data[from];
        data[to + 1] = fill.data[from + 1];
        data[to + 2] = fill.data[from + 2];
      }
    }
  }
}

/** Rec. 601 luma in Pillow's fixed point (its Convert.c): 0.299, 0.587, 0.114 in 1/65536. */
export function luma(levels: AnyBytes, at: number): number {
  return (19595 * levels[at] + 38470 * levels[at + 1] + 7471 * levels[at + 2] + 0x8000) >> 16;
}
