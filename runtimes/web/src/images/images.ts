// Pictures of the browser as pixels, and back.

import { LamaEdgeError } from "../errors.js";
import type { PictureSource, Pixels } from "../types.js";
import { type Drawable, readDrawable, unreadable } from "./drawing.js";
import { decodePng, isPng, MAX_PIXELS, parsePng } from "./png_reading.js";

export { encodePng } from "./png_writing.js";

/**
 * The pixels of any picture, RGBA in sRGB and upright; `Pixels` come back as they are.
 *
 * PNG files without a colour profile are decoded here, every level as it is in the file (of 16 bits
 * the upper 8, which `note` is told), in Node too. The browser decodes everything else, converts its
 * colours and applies its orientation.
 *
 * Throws LamaEdgeError `picture` for what cannot be read, or is larger than 179 million pixels.
 */
export async function toPixels(
  source: PictureSource,
  note: (line: string) => void = () => undefined,
): Promise<Pixels> {
  if (source instanceof Blob) return fromBlob(source, note);
  if ("data" in source) return fromData(source);
  if (is(source, "HTMLImageElement")) {
    await source.decode().catch(() => {
      throw unreadable(`the image ${source.currentSrc.slice(0, 80)} did not load`);
    });
    return readDrawable(source, checkedSize(source.naturalWidth, source.naturalHeight));
  }
  return readDrawable(source, checkedSize(source.width, source.height));
}

/** The same pixels as RGBA: the very bytes where they are RGBA already. */
export function toRgba({ data, width, height, channels }: Pixels): Uint8ClampedArray<ArrayBuffer> {
  if (channels === 4) {
    const bytes = new Uint8ClampedArray(data.buffer as ArrayBuffer, data.byteOffset, data.length);
    return data.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  }
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let from = 0, to = 0; to < rgba.length; from += channels, to += 4) {
    rgba[to] = data[from] as number;
    rgba[to + 1] = data[from + green] as number;
    rgba[to + 2] = data[from + blue] as number;
  }
  return rgba;
}

async function fromBlob(blob: Blob, note: (line: string) => void): Promise<Pixels> {
  if (isPng(new Uint8Array(await blob.slice(0, 8).arrayBuffer()))) {
    const png = parsePng(new Uint8Array(await blob.arrayBuffer()));
    if (png.depth === 16) {
      note("the picture has 16 bits a channel: the upper 8 are kept, outside the hole too");
    }
    if (png.srgb) return decodePng(png);
  }
  if (typeof createImageBitmap === "undefined") {
    throw new LamaEdgeError(
      "missing",
      "outside a browser only PNG files without a colour profile can be read: give Pixels",
    );
  }
  // Colours stay as they are under any alpha.
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none" }).catch(() => {
    const what = `${blob.size} bytes${blob.type ? ` of ${blob.type}` : ""}`;
    throw unreadable(`this browser cannot decode its ${what}`);
  });
  return fromBitmap(bitmap);
}

async function fromData(source: Pixels | ImageData): Promise<Pixels> {
  if ("channels" in source) return source;
  const { data, width, height } = source;
  if (source.colorSpace === "srgb" && data instanceof Uint8ClampedArray) {
    return { data, width, height, channels: 4 };
  }
  return fromBitmap(await createImageBitmap(source, { premultiplyAlpha: "none" }));
}

async function fromBitmap(bitmap: ImageBitmap): Promise<Pixels> {
  try {
    return await readDrawable(bitmap, checkedSize(bitmap.width, bitmap.height));
  } finally {
    bitmap.close();
  }
}

function checkedSize(width: number, height: number): [number, number] {
  if (width === 0 || height === 0) throw unreadable(`its size is ${width} x ${height}`);
  if (width * height > MAX_PIXELS) {
    const size = `${width} x ${height} pixels, more than ${MAX_PIXELS}`;
    throw new LamaEdgeError("picture", `the picture has ${size}`, "picture_too_large");
  }
  return [width, height];
}

/** Whether `source` is of a class that only pages have: a worker does not know its name. */
function is(source: Drawable, name: "HTMLImageElement"): source is HTMLImageElement {
  return name in globalThis && source instanceof globalThis[name];
}
