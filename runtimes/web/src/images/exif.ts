import type { Pixels } from "../types.js";

const ORIENTATION = 0x0112;
const SHORT = 3;

/** The orientation, 1 to 8, that EXIF data (from its byte order mark on) asks for; else 1. */
export function orientationOf(exif: Uint8Array): number {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  if (view.byteLength < 8) return 1;
  const mark = view.getUint32(0);
  if (mark !== 0x49492a00 && mark !== 0x4d4d002a) return 1;
  const little = mark === 0x49492a00;
  const start = view.getUint32(4, little);
  if (start + 2 > view.byteLength) return 1;
  const entries = view.getUint16(start, little);
  for (let i = 0, at = start + 2; i < entries && at + 12 <= view.byteLength; i++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const value = view.getUint16(at + 8, little);
    return view.getUint16(at + 2, little) === SHORT && value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** The picture as it is meant to be seen, where `orientation` (1 to 8) is EXIF's. */
export function upright(pixels: Pixels, orientation: number): Pixels {
  if (orientation === 1) return pixels;
  const { data, width, height, channels } = pixels;
  const turned = orientation >= 5;
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  // In pixels of the stored picture: where the upright one begins, and a step along each axis.
  const first = (fromBelow ? (height - 1) * width : 0) + (fromRight ? width - 1 : 0);
  const column = fromRight ? -1 : 1;
  const row = fromBelow ? -width : width;
  const [alongX, alongY] = turned ? [row, column] : [column, row];
  const result = { width: turned ? height : width, height: turned ? width : height };
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0, to = 0; y < result.height; y++) {
    for (let x = 0; x < result.width; x++) {
      const from = (first + y * alongY + x * alongX) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c] as number;
    }
  }
  return { data: out, ...result, channels };
}
