// The public class over the worker.

import type {
  Inpainted,
  InpaintOptions,
  ModelInfo,
  ModelSource,
  OpenOptions,
  PictureSource,
} from "./types.js";

/** An open model that fills the hole of pictures of any size. It works in a worker of its own. */
export class Inpainter {
  private constructor() {}

  /** Opens an ONNX file that carries a manifest of lama-edge. */
  static open(_model: ModelSource, _options: OpenOptions = {}): Promise<Inpainter> {
    throw new Error("not written yet");
  }

  /** What the open model says of itself. */
  get info(): ModelInfo {
    throw new Error("not written yet");
  }

  /** Fills the hole of a picture. */
  inpaint(
    _picture: PictureSource,
    _mask: PictureSource,
    _options: InpaintOptions = {},
  ): Promise<Inpainted> {
    throw new Error("not written yet");
  }

  /** Ends the worker; work in progress is given up. */
  close(): Promise<void> {
    throw new Error("not written yet");
  }
}
