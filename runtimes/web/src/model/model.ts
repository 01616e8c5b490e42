// A model open in ONNX Runtime Web; in a worker, or in Node.

import type { Manifest } from "../contract/manifest.js";
import type { Provider } from "../types.js";

/** Where the nodes of a graph run. */
export interface Placement {
  /** Nodes by provider. */
  providers: Record<string, number>;
  /** Names of the nodes that the provider asked for left to the processor. */
  fellBack: string[];
}

export interface OpenModelOptions {
  /** ONNX Runtime Web's module, or the folder that it is imported from. */
  ort: OrtModule | URL;
  provider: Provider;
  threads: number;
  /** Whether to find out where the nodes run. */
  placement?: boolean | undefined;
}

/** What this library uses of ONNX Runtime Web. */
export type OrtModule = typeof import("onnxruntime-web/webgpu");

export interface Model {
  manifest: Manifest;
  manifestText: string;
  /** Of ONNX Runtime Web. */
  version: string;
  provider: Provider;
  threads: number;
  placement: Placement | null;
  notes: string[];
  /** Runs one picture in the model's own form; the result lies in the processor's memory. */
  run(
    image: Float32Array | Uint8Array,
    mask: Float32Array | Uint8Array,
    height: number,
    width: number,
  ): Promise<Float32Array | Uint8Array>;
  close(): Promise<void>;
}

/** Opens an ONNX file that carries a manifest of lama-edge. */
export function openModel(_bytes: Uint8Array, _options: OpenModelOptions): Promise<Model> {
  throw new Error("not written yet");
}
