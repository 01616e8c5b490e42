// What the page and the worker say to each other.

import { type ErrorKind, LamaEdgeError, oneLine } from "../errors.js";
import type { InpaintOptions, Pixels, Provider, Report, Size } from "../types.js";

/** What a worker is asked. Each id is used once. */
export type Request =
  | { id: number; task: "open"; with: Opening }
  | { id: number; task: "inpaint"; with: Inpainting }
  | { id: number; task: "cancel" };

export interface Opening {
  model: Blob;
  /** Folder of ONNX Runtime Web's files. */
  ort: string;
  provider: Provider;
  threads: number | undefined;
  selfTest: boolean;
}

export interface Inpainting {
  picture: Pixels;
  mask: Pixels;
  options: Omit<InpaintOptions, "signal">;
}

/** What an open model says of itself. */
export interface Opened {
  precision: string;
  form: "float" | "uint8";
  fixed: Size | null;
  manifest: string;
  provider: Provider;
  threads: number;
  notes: readonly string[];
  runtimeVersion: string;
}

export interface Filled {
  pixels: Pixels;
  report: Report;
}

/** What a worker answers, once for each request but `cancel`. */
export type Answer = { id: number } & (
  | { opened: Opened }
  | { filled: Filled }
  | { error: PlainError }
);

/** An error as plain data: classes do not pass between threads. */
export interface PlainError {
  kind: ErrorKind;
  message: string;
  code: string;
}

export function toPlain(thrown: unknown): PlainError {
  if (thrown instanceof LamaEdgeError) {
    return { kind: thrown.kind, message: thrown.message, code: thrown.code };
  }
  return { kind: "model", message: `the worker failed: ${oneLine(thrown)}`, code: "" };
}

export function fromPlain({ kind, message, code }: PlainError): LamaEdgeError {
  return new LamaEdgeError(kind, message, code);
}
