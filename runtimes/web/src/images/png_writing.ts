import type { Pixels } from "../types.js";
import { crc32, GREY, predicted, RGB, RGBA, SAMPLES, SIGNATURE } from "./png_format.js";

/** Bytes of rows that are filtered before the compressor is given them. */
const BAND_BYTES = 1 << 20;

/** One level of so many tells which filter suits a row; all channels have their turn. */
const TRIED = 7;

/** PNG's sRGB chunk: the levels are sRGB's, for display perceptually. */
const PERCEPTUAL = Uint8Array.of(0);

/**
 * The picture as PNG of 8 bits with every level as it is: grey, RGB, or RGBA, whose alpha is left
 * out where all of it is 255.
 *
 * A canvas' own encoder is not used: canvases hold colours multiplied with alpha, and browsers that
 * guard against fingerprints change what comes out of one.
 */
export async function encodePng(pixels: Pixels): Promise<Blob> {
  const { width, height } = pixels;
  const opaque = pixels.channels === 4 && isOpaque(pixels.data);
  const colour = pixels.channels === 1 ? GREY : pixels.channels === 3 || opaque ? RGB : RGBA;
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colour], 8);
  const packed = new Response(
    filtered(pixels, SAMPLES[colour] as number).pipeThrough(new CompressionStream("deflate")),
  );
  const data = new Uint8Array(await packed.arrayBuffer());
  const chunks = [
    chunk("IHDR", header),
    chunk("sRGB", PERCEPTUAL),
    chunk("IDAT", data),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob([SIGNATURE, ...chunks], { type: "image/png" });
}

function isOpaque(rgba: Pixels["data"]): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}

function chunk(type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/** The rows of the picture, each behind the filter that seems to leave the least of it. */
function filtered(pixels: Pixels, samples: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { data, width, height, channels } = pixels;
  const stride = width * samples;
  let above = new Uint8Array(stride);
  let y = 0;
  return new ReadableStream({
    pull(controller) {
      const rows = Math.min(height - y, Math.max(1, Math.floor(BAND_BYTES / (stride + 1))));
      const band = new Uint8Array(rows * (stride + 1));
      for (let to = 0; to < band.length; to += stride + 1, y++) {
        const line = row(data, y * width * channels, width, channels, samples);
        const filter = bestFilter(line, above, samples);
        band[to] = filter;
        for (let i = 0; i < stride; i++) {
          band[to + 1 + i] = (line[i] as number) - predicted(filter, line, above, i, samples);
        }
        above = line;
      }
      controller.enqueue(band);
      if (y === height) controller.close();
    },
  });
}

function row(
  data: Pixels["data"],
  from: number,
  width: number,
  channels: number,
  samples: number,
): Uint8Array<ArrayBuffer> {
  const line = new Uint8Array(width * samples);
  if (channels === samples) line.set(data.subarray(from, from + line.length));
  else {
    for (let x = 0, to = 0; x < width; x++, from += channels) {
      for (let c = 0; c < samples; c++) line[to++] = data[from + c] as number;
    }
  }
  return line;
}

/** The filter whose bytes, taken as signed, have the least sum (the heuristic of PNG, 12.7). */
function bestFilter(line: Uint8Array, above: Uint8Array, back: number): number {
  const sums = [0, 1, 2, 3, 4].map((filter) => {
    let sum = 0;
    for (let i = 0; i < line.length; i += TRIED) {
      const byte = ((line[i] as number) - predicted(filter, line, above, i, back)) & 0xff;
      sum += byte < 128 ? byte : 256 - byte;
    }
    return sum;
  });
  return sums.indexOf(Math.min(...sums));
}
