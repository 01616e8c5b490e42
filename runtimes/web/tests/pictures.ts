// Pictures and masks for tests, drawn by arithmetic.

import type { Pixels } from "../src/types.js";

/** A picture without two rows alike. */
export function drawnPicture(height: number, width: number, channels: 1 | 3 | 4 = 3): Pixels {
  const data = Uint8Array.from({ length: height * width * channels }, (_, at) => {
    const pixel = Math.floor(at / channels);
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    const isAlpha = channels === 4 && at % channels === 3;
    return isAlpha ? 255 : (row * 3 + column * 5 + (at % channels) * 60) % 256;
  });
  return { data, height, width, channels };
}

/** A mask with a box in the middle, half as wide and high. */
export function drawnMask(height: number, width: number): Pixels {
  const data = Uint8Array.from({ length: height * width }, (_, at) => {
    const inside = (place: number, side: number) => place >= side / 4 && place < (side * 3) / 4;
    return inside(Math.floor(at / width), height) && inside(at % width, width) ? 255 : 0;
  });
  return { data, height, width, channels: 1 };
}

/** How many pixels outside of the hole changed, and how many inside. */
export function changed(before: Pixels, after: Pixels, mask: Pixels) {
  const found = { outside: 0, inside: 0 };
  for (let at = 0; at < before.data.length; at++) {
    if (before.data[at] === after.data[at]) continue;
    if (mask.data[Math.floor(at / before.channels)]) found.inside++;
    else found.outside++;
  }
  return found;
}
