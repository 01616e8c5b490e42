// The manifest in an ONNX file's bytes.

/** The text of `metadata_props["lama_edge"]` of a ModelProto. */
export function manifestText(_bytes: Uint8Array): string {
  throw new Error("not written yet");
}
