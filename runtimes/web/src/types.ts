// What goes in and out of the library.

/** A size in pixels. */
export interface Size {
  height: number;
  width: number;
}

/** 8-bit pixels in rows without gaps: grey, RGB or RGBA with straight alpha. */
export interface Pixels {
  /** height * width * channels bytes. */
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  channels: 1 | 3 | 4;
}

/** What a picture or a mask can be given as. A Blob is the bytes of an image file. */
export type PictureSource =
  | Pixels
  | ImageData
  | ImageBitmap
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLImageElement
  | Blob;

/** How the windows that the model sees are chosen. */
export type Strategy = "auto" | "full" | "crop" | "resize";

/** What of a mask is above 0 in the hole. */
export type MaskChannel = "auto" | "grey" | "alpha" | "red" | "green" | "blue";

/** How a mask is read. */
export interface MaskRules {
  /** `auto`: the grey value, or alpha where only that has a shape. */
  channel?: MaskChannel | undefined;
  /** The hole grows by a disc of this radius, in pixels of the picture, 0 to 1024. */
  grow?: number | undefined;
  /** Whether the hole is where the value is 0; before it grows. */
  invert?: boolean | undefined;
}

/** What is asked of one picture; the defaults suit most. */
export interface InpaintOptions {
  strategy?: Strategy | undefined;
  /** Largest side in pixels of what a model of any size is given by `auto`, `crop` and `resize`,
   * at least 64; 1024 where left out. A model of one size goes by that. */
  maxSide?: number | undefined;
  mask?: MaskRules | undefined;
  /** Gives up the work at once; the run that the model is in ends before the next picture. */
  signal?: AbortSignal | undefined;
}

/** What became of one picture. */
export interface Report {
  /** `full`, `crop` or `resize`; `none` when there was nothing to fill. */
  strategy: "full" | "crop" | "resize" | "none";
  /** Why: a stable name such as `share_seen`, the same in every wrapper, and in words. */
  code: string;
  reason: string;
  /** What the caller should know, and what to do about it; mostly empty. */
  warning: string;
  /** How often the model was run. */
  runs: number;
  /** What of the mask counted. */
  maskChannel: Exclude<MaskChannel, "auto">;
  /** Whether more than 90 % of the mask was hole: it may be the wrong way round. */
  mostlyHole: boolean;
}

/** A file of a model, its address, or its bytes. */
export type ModelSource = string | URL | Blob | ArrayBuffer | Uint8Array;

/** What runs the model. */
export type Provider = "webgpu" | "wasm";

/** How a model is opened. */
export interface OpenOptions {
  /** `auto`: WebGPU where it is there, suits the model and passes its self-test; else WebAssembly,
   * with a note. */
  provider?: "auto" | Provider | undefined;
  /** Threads of WebAssembly; left out, one for each core up to 4. More than one needs a page that
   * is cross-origin isolated. */
  threads?: number | undefined;
  /** The folder of ONNX Runtime Web's files; left out, `onnxruntime-web/dist/` beside this
   * package. */
  ort?: string | URL | undefined;
  /** The hash that the model's bytes must have, 64 hexadecimal digits. */
  sha256?: string | undefined;
  /** What the server wants to be told for the model's address, such as `Authorization`. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Whether a model given by its address is kept in the browser's cache, by its hash; true where
   * left out and `sha256` is given. */
  cache?: boolean | undefined;
  /** Whether WebGPU has to pass the self-test; true where left out. */
  selfTest?: boolean | undefined;
  /** Gives up opening. */
  signal?: AbortSignal | undefined;
  /** Bytes of the model so far; `total` is null where the server does not say. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** A line that the caller should know, as it becomes known; also later, when a GPU is lost. */
  onNote?: ((note: string) => void) | undefined;
}

export interface Progress {
  loaded: number;
  total: number | null;
}

/** What an open model says of itself. */
export interface ModelInfo {
  /** `fp32`, `fp16`, `w8` or `int8`. */
  precision: string;
  /** How pictures go in and out of the model; those given to `inpaint` are bytes in either case. */
  form: "float" | "uint8";
  /** The one size of a fixed-size model; null for one of any size. `inpaint` takes any. */
  fixed: Size | null;
  /** The manifest as the file has it: JSON. */
  manifest: string;
  /** Who runs the model now: a lost GPU gives way to WebAssembly. */
  provider: Provider;
  threads: number;
  /** What the caller should know: a provider that gave way, threads that could not be had. */
  notes: readonly string[];
  /** Of the model's bytes. */
  sha256: string;
  /** Version of ONNX Runtime Web. */
  runtimeVersion: string;
}

/** A picture with its hole filled. */
export interface Inpainted {
  /** Of the picture's size and channels; RGBA where the picture was no `Pixels`. */
  pixels: Pixels;
  report: Report & { provider: Provider };
  /** RGBA, for a canvas. */
  toImageData(): ImageData;
  /** A PNG file that holds these very pixels. */
  toBlob(): Promise<Blob>;
}
