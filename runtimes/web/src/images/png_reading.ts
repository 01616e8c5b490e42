import { LamaEdgeError } from "../errors.js";
import type { Pixels } from "../types.js";
import { orientationOf, upright } from "./exif.js";
import {
  crc32,
  GREY,
  GREY_ALPHA,
  PALETTE,
  predicted,
  RGB,
  RGBA,
  SAMPLES,
  SIGNATURE,
} from "./png_format.js";

/** Pixels beyond which a picture is refused as a possible decompression bomb, as Pillow does. */
export const MAX_PIXELS = 178_956_970;

/** No byte of Deflate becomes more than this many. */
const MAX_RATIO = 1032;

/** PNG's gAMA of 1/2.2, in 1/100000: what browsers and viewers take for sRGB. */
const SRGB_GAMMA = 45455;

const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  [GREY]: [1, 2, 4, 8, 16],
  [RGB]: [8, 16],
  [PALETTE]: [1, 2, 4, 8],
  [GREY_ALPHA]: [8, 16],
  [RGBA]: [8, 16],
};

/** First column and row of Adam7's passes, and the steps from one to the next. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** A PNG taken apart, before anything is inflated. */
export interface Png {
  width: number;
  height: number;
  /** Bits of a sample: 1, 2, 4, 8 or 16. */
  depth: number;
  colour: number;
  interlaced: boolean;
  /** 256 colours, RGBA; null where the file has none. */
  palette: Uint8Array | null;
  /** The samples of the pixels that are transparent, null where there are none. */
  key: number[] | null;
  /** Whether the levels are sRGB's: where not, somebody has to convert them. */
  srgb: boolean;
  /** EXIF's, 1 to 8. */
  orientation: number;
  /** The Deflate stream, in pieces. */
  data: Uint8Array<ArrayBuffer>[];
}

interface Pass {
  width: number;
  height: number;
  left: number;
  top: number;
  dx: number;
  dy: number;
}

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/** Takes a PNG apart. Throws LamaEdgeError `picture` for one that is damaged or too large. */
export function parsePng(bytes: Uint8Array<ArrayBuffer>): Png {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let png: Png | null = null;
  let profile = false;
  let gamma = SRGB_GAMMA;
  let named = false;
  for (let at = SIGNATURE.length; ; ) {
    if (at + 12 > bytes.length) throw damaged("it ends early");
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) throw damaged("it ends early");
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw damaged(`the checksum of its ${printable(type)} is wrong`);
    }
    at += 12 + length;
    if (png === null) {
      if (type !== "IHDR" || length !== 13) throw damaged("it does not begin with IHDR");
      png = parseHeader(body);
    } else if (type === "PLTE") {
      png.palette = parsePalette(body);
    } else if (type === "tRNS") {
      parseTransparency(png, body);
    } else if (type === "IDAT") {
      png.data.push(body);
    } else if (type === "IEND") {
      break;
    } else if (type === "iCCP" || type === "cICP") {
      profile = true;
    } else if (type === "sRGB") {
      named = true;
    } else if (type === "gAMA" && length === 4) {
      gamma = view.getUint32(at - 8);
    } else if (type === "eXIf") {
      png.orientation = orientationOf(body);
    } else if (/^[A-Z]/.test(type)) {
      throw damaged(`it has a part that nobody knows, ${printable(type)}`);
    }
  }
  if (png.colour === PALETTE && png.palette === null) throw damaged("its palette is missing");
  png.srgb = !profile && (named || Math.abs(gamma - SRGB_GAMMA) <= 500);
  return png;
}

/** The levels of a PNG as they are in the file, RGBA; of 16 bits the upper 8. Upright by EXIF. */
export async function decodePng(png: Png): Promise<Pixels> {
  const { width, height, depth, colour } = png;
  const bits = depth * (SAMPLES[colour] as number);
  const passes = passesOf(png);
  const bytesOf = (pass: Pass) => (Math.ceil((pass.width * bits) / 8) + 1) * pass.height;
  const raw = await inflate(
    png.data,
    passes.reduce((sum, pass) => sum + bytesOf(pass), 0),
  );
  const out = new Uint8ClampedArray(4 * width * height);
  let at = 0;
  for (const pass of passes) {
    const part = raw.subarray(at, at + bytesOf(pass));
    at += part.length;
    const stride = part.length / pass.height;
    unfilter(part, stride, Math.max(1, bits >> 3));
    for (let y = 0; y < pass.height; y++) {
      const line = part.subarray(y * stride + 1, (y + 1) * stride);
      const to = 4 * ((pass.top + y * pass.dy) * width + pass.left);
      if (depth === 8 && colour === RGBA && pass.dx === 1) out.set(line, to);
      else spread(png, line, pass.width, out, to, 4 * pass.dx);
    }
  }
  return upright({ data: out, width, height, channels: 4 }, png.orientation);
}

function parseHeader(body: Uint8Array): Png {
  const view = new DataView(body.buffer, body.byteOffset);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, compression, filter, interlace] = body.subarray(8) as unknown as number[];
  if (width === 0 || height === 0) throw damaged(`its size is ${width} x ${height}`);
  if (width * height > MAX_PIXELS) {
    throw new LamaEdgeError(
      "picture",
      `the picture has ${width} x ${height} pixels, more than ${MAX_PIXELS}: give a smaller one`,
      "picture_too_large",
    );
  }
  if (!DEPTHS[colour as number]?.includes(depth as number)) {
    throw damaged(`it has ${depth} bits of colour type ${colour}`);
  }
  if (compression !== 0 || filter !== 0 || (interlace as number) > 1) {
    throw damaged(`its methods are ${compression}, ${filter}, ${interlace}`);
  }
  return {
    width,
    height,
    depth: depth as number,
    colour: colour as number,
    interlaced: interlace === 1,
    palette: null,
    key: null,
    srgb: true,
    orientation: 1,
    data: [],
  };
}

function parsePalette(body: Uint8Array): Uint8Array {
  if (body.length === 0 || body.length % 3 !== 0 || body.length > 768) {
    throw damaged(`its palette has ${body.length} bytes`);
  }
  const palette = new Uint8Array(1024);
  for (let i = 0; i < 256; i++) {
    palette.set(body.subarray(3 * i, 3 * i + 3), 4 * i);
    palette[4 * i + 3] = 255;
  }
  return palette;
}

function parseTransparency(png: Png, body: Uint8Array): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (png.colour === PALETTE) {
    if (png.palette === null || body.length > 256) throw damaged("its tRNS is out of place");
    for (let i = 0; i < body.length; i++) png.palette[4 * i + 3] = body[i] as number;
  } else if (png.colour === GREY || png.colour === RGB) {
    const samples = SAMPLES[png.colour] as number;
    if (body.length !== 2 * samples) throw damaged(`its tRNS has ${body.length} bytes`);
    png.key = Array.from({ length: samples }, (_, c) => view.getUint16(2 * c));
  }
}

function passesOf({ width, height, interlaced }: Png): Pass[] {
  const layout = interlaced ? ADAM7 : ([[0, 0, 1, 1]] as const);
  const passes = layout.map(([left, top, dx, dy]) => ({
    width: Math.ceil((width - left) / dx),
    height: Math.ceil((height - top) / dy),
    left,
    top,
    dx,
    dy,
  }));
  return passes.filter((pass) => pass.width > 0 && pass.height > 0);
}

async function inflate(parts: Uint8Array<ArrayBuffer>[], length: number): Promise<Uint8Array> {
  const packed = parts.reduce((sum, part) => sum + part.length, 0);
  // Before memory is taken for what cannot be there.
  if (length > packed * MAX_RATIO) throw damaged("its pixels end early");
  const raw = new Uint8Array(length);
  const reader = new Blob(parts)
    .stream()
    .pipeThrough(new DecompressionStream("deflate"))
    .getReader();
  let at = 0;
  try {
    while (at < length) {
      const { done, value } = await reader.read();
      if (done) break;
      raw.set(value.subarray(0, length - at), at);
      at += value.length;
    }
  } catch {
    throw damaged("its pixels cannot be inflated");
  } finally {
    // What is left of a stream that is longer than the picture is of no use.
    reader.cancel().catch(() => undefined);
  }
  if (at < length) throw damaged("its pixels end early");
  return raw;
}

/** Turns filtered rows into levels, in place; each of `stride` bytes, the first names the filter. */
function unfilter(raw: Uint8Array, stride: number, back: number): void {
  for (let row = 0; row < raw.length; row += stride) {
    const line = raw.subarray(row + 1, row + stride);
    const above = row === 0 ? new Uint8Array(stride - 1) : raw.subarray(row - stride + 1, row);
    const filter = raw[row] as number;
    if (filter > 4) throw damaged(`row ${row / stride} has filter ${filter}`);
    for (let i = 0; filter > 0 && i < line.length; i++) {
      (line[i] as number) += predicted(filter, line, above, i, back);
    }
  }
}

/** Writes the pixels of a row, RGBA, at `to` and every `step` bytes after it. */
function spread(
  png: Png,
  line: Uint8Array,
  width: number,
  out: Uint8ClampedArray,
  to: number,
  step: number,
): void {
  const { depth, colour, palette, key } = png;
  const samples = SAMPLES[colour] as number;
  const most = 2 ** depth - 1;
  const sample = (i: number): number => {
    if (depth === 16) return ((line[2 * i] as number) << 8) | (line[2 * i + 1] as number);
    const bit = i * depth;
    return ((line[bit >> 3] as number) >> (8 - depth - (bit & 7))) & most;
  };
  const level = (value: number): number => (depth === 16 ? value >> 8 : (value * 255) / most);
  const [green, blue] = colour === GREY || colour === GREY_ALPHA ? [0, 0] : [1, 2];
  for (let x = 0; x < width; x++, to += step) {
    const first = x * samples;
    if (colour === PALETTE && palette) {
      const index = 4 * sample(first);
      out.set(palette.subarray(index, index + 4), to);
      continue;
    }
    out[to] = level(sample(first));
    out[to + 1] = level(sample(first + green));
    out[to + 2] = level(sample(first + blue));
    if (key?.every((value, c) => value === sample(first + c))) out[to + 3] = 0;
    else out[to + 3] = samples % 2 ? 255 : level(sample(first + samples - 1));
  }
}

function printable(type: string): string {
  return type.replace(/[^A-Za-z]/g, "?");
}

function damaged(what: string): LamaEdgeError {
  return new LamaEdgeError(
    "picture",
    `the PNG is damaged (${what}): save it again`,
    "picture_damaged",
  );
}
