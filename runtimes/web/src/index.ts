// The public library: fills the hole of a picture of any size with a model that `lama-edge export
// onnx` wrote, in a worker.

export { type ErrorKind, LamaEdgeError } from "./errors.js";
export { Inpainter } from "./inpainter.js";
export type {
  Inpainted,
  InpaintOptions,
  MaskChannel,
  MaskRules,
  ModelInfo,
  ModelSource,
  OpenOptions,
  PictureSource,
  Pixels,
  Progress,
  Provider,
  Report,
  Size,
  Strategy,
} from "./types.js";
