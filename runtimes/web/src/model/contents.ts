// What a graph takes and gives, held against its manifest.

import type { InferenceSession, Tensor } from "onnxruntime-common";
import type { Manifest } from "../contract/manifest.js";
import { shapeOf, type TensorSpec, tensorSpecs } from "../contract/sizes.js";
import { LamaEdgeError } from "../errors.js";
import type { Size } from "../types.js";

/** Refuses a graph whose inputs or output are not what its manifest says. */
export function checkContents(session: InferenceSession, manifest: Manifest): void {
  const [image, mask, output] = tensorSpecs(manifest.io);
  const inputs = session.inputMetadata;
  const taken = [image, mask].every((spec) =>
    inputs.some((input) => input.name === spec.name && declares(input, spec, manifest)),
  );
  if (inputs.length !== 2 || !taken) refuse("inputs");
  const [given] = session.outputMetadata;
  // Its extents are left to what a run returns: files say less of outputs than of inputs.
  const fits = given?.isTensor && given.name === output.name && given.type === output.dtype;
  if (session.outputMetadata.length !== 1 || !fits) refuse("outputs");
}

function refuse(what: string): never {
  throw new LamaEdgeError(
    "model",
    `the model has other ${what} than its manifest says; export it again`,
  );
}

function declares(
  input: InferenceSession.ValueMetadata,
  spec: TensorSpec,
  manifest: Manifest,
): boolean {
  if (!input.isTensor || input.type !== spec.dtype) return false;
  const anySize = { height: -1, width: -1 };
  const wanted = shapeOf(spec, manifest.size.fixed ?? anySize, manifest.batch ?? -1);
  // The channels are always fixed, the sides and the batch where the manifest says so.
  return (
    input.shape.length === wanted.length &&
    wanted.every((extent, axis) => extent < 0 || input.shape[axis] === extent)
  );
}

/** The values of what a run returned. Throws a `LamaEdgeError` when its type or shape is not the
 * contract's. */
export function checkedOutput(
  output: Tensor | undefined,
  manifest: Manifest,
  size: Size,
  pictures: number,
): Float32Array | Uint8Array {
  const spec = tensorSpecs(manifest.io)[2];
  const wanted = shapeOf(spec, size, pictures);
  if (output?.type === spec.dtype && String(output.dims) === String(wanted)) {
    return output.data as Float32Array | Uint8Array;
  }
  const seen = output ? `${output.type} (${output.dims.join(", ")})` : "nothing";
  const message = `the model returned ${seen} instead of ${spec.dtype} (${wanted.join(", ")})`;
  throw new LamaEdgeError("model", `${message}: export it again`);
}
