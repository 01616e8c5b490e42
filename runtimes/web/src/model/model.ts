// A model open in ONNX Runtime Web; in a worker, or in Node.

import type { InferenceSession } from "onnxruntime-common";
import { type Manifest, readManifest } from "../contract/manifest.js";
import { manifestText } from "../contract/onnx_metadata.js";
import { problemWith, shapeOf, spelled, tensorSpecs } from "../contract/sizes.js";
import { LamaEdgeError } from "../errors.js";
import type { Provider } from "../types.js";
import { checkContents, checkedOutput } from "./contents.js";
import { failure, isMemory } from "./failures.js";
import { GpuWatch, problemWithGpu } from "./gpu.js";
import { loadOrt, type OrtModule, possibleThreads } from "./loading.js";
import { loggedBy, type Placement, placementIn } from "./placement.js";

export type { OrtModule, Placement };

export interface OpenModelOptions {
  /** ONNX Runtime Web's module, or the folder that it is imported from. */
  ort: OrtModule | URL;
  provider: Provider;
  /** Threads of WebAssembly; left out, one for each core up to 4. What was chosen when the first
   * model of a worker was opened counts for all of them. */
  threads?: number | undefined;
  /** Whether to find out where the nodes run, in a browser. */
  placement?: boolean | undefined;
}

/** An open model. One run at a time. */
export interface Model {
  readonly manifest: Manifest;
  /** The manifest as the file has it: JSON. */
  readonly manifestText: string;
  /** Of ONNX Runtime Web. */
  readonly version: string;
  readonly provider: Provider;
  readonly threads: number;
  /** Null where it was not asked for, or nothing tells it. */
  readonly placement: Placement | null;
  /** What the caller should know: threads that could not be had. */
  readonly notes: readonly string[];
  /**
   * Runs the model; the result lies in the processor's memory.
   *
   * image: in the model's own form, float32 [N,3,H,W] of 0 to 1 or uint8 [N,H,W,3].
   * mask: float32 [N,1,H,W] or uint8 [N,H,W,1]; above 0 is hole.
   * Of a model with a fixed batch either all of it, or one picture, which is then repeated, and one
   * is returned.
   *
   * Throws a `LamaEdgeError` of kind `model` when the size or the length is not the model's or it
   * fails, `missing` with code `gpu_lost` or `out_of_memory`.
   */
  run(
    image: Float32Array | Uint8Array,
    mask: Float32Array | Uint8Array,
    height: number,
    width: number,
  ): Promise<Float32Array | Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens an ONNX file that carries a manifest of lama-edge.
 *
 * bytes: the file; not needed afterwards.
 *
 * Throws a `LamaEdgeError` of kind `model` when it cannot be opened, carries no manifest or is not
 * what that says; `missing` when the provider or ONNX Runtime Web is not there, or memory ends;
 * `usage` when an option cannot be used.
 */
export async function openModel(bytes: Uint8Array, options: OpenModelOptions): Promise<Model> {
  const { provider } = options;
  const text = manifestText(bytes);
  const manifest = readManifest(text);
  const problem = provider === "webgpu" ? await problemWithGpu(manifest) : null;
  if (problem) throw new LamaEdgeError("missing", problem);
  const { threads, note } = possibleThreads(options.threads);
  const ort = await loadOrt(options.ort, provider);
  ort.env.wasm.numThreads ??= threads;
  ort.env.logLevel = options.placement ? "verbose" : "error";
  const { value: session, lines } = await started(ort, bytes, options);
  try {
    checkContents(session, manifest);
  } catch (refused) {
    await session.release();
    throw refused;
  }
  const gpu = provider === "webgpu" ? new GpuWatch(await ort.env.webgpu.device) : null;
  return {
    manifest,
    manifestText: text,
    version: ort.env.versions.web ?? ort.env.versions.common,
    provider,
    threads: ort.env.wasm.numThreads ?? 1,
    placement: placementIn(lines),
    notes: note ? [note] : [],
    run: (image, mask, height, width) =>
      run({ ort, session, manifest, gpu }, image, mask, { height, width }),
    close: () => session.release(),
  };
}

async function started(ort: OrtModule, bytes: Uint8Array, options: OpenModelOptions) {
  const { provider, placement } = options;
  const create = () =>
    ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      // Verbose, or fatal alone: what fails is thrown as well.
      logSeverityLevel: placement ? 0 : 4,
      // A second block as large as all activations, for no time.
      enableMemPattern: false,
    });
  try {
    return placement ? await loggedBy(create) : { value: await create(), lines: [] };
  } catch (thrown) {
    const found = failure("opening the model", thrown);
    if (isMemory(thrown) || provider === "wasm") throw found;
    throw new LamaEdgeError("missing", `WebGPU cannot run the model: ${found.message}`);
  }
}

interface Running {
  ort: OrtModule;
  session: InferenceSession;
  manifest: Manifest;
  gpu: GpuWatch | null;
}

type Values = Float32Array | Uint8Array;

async function run(
  { ort, session, manifest, gpu }: Running,
  image: Values,
  mask: Values,
  size: { height: number; width: number },
): Promise<Values> {
  const problem = problemWith(manifest.size, size);
  if (problem) {
    const message = `the picture is ${spelled(size)} (height x width): ${problem.description}`;
    throw new LamaEdgeError("model", message, problem.code);
  }
  const [imageSpec, maskSpec, outputSpec] = tensorSpecs(manifest.io);
  const area = size.height * size.width;
  const given = image.length / (3 * area);
  const pictures = manifest.batch ?? given;
  const tensor = (spec: typeof imageSpec, values: Values) => {
    const data = given === 1 ? repeated(values, pictures) : values;
    return new ort.Tensor(spec.dtype, data, shapeOf(spec, size, pictures));
  };
  if (mask.length !== given * area || (given !== 1 && given !== pictures) || given < 1) {
    const message = `${image.length} and ${mask.length} values do not fit ${spelled(size)}`;
    throw new LamaEdgeError("model", `${message}: give pictures of that size`);
  }
  try {
    gpu?.check();
    const feeds = { image: tensor(imageSpec, image), mask: tensor(maskSpec, mask) };
    const running = session.run(feeds, { logSeverityLevel: 4 });
    // On a lost GPU a run may never end.
    const outputs = await (gpu ? Promise.race([running, gpu.lost]) : running);
    const values = checkedOutput(outputs[outputSpec.name], manifest, size, pictures);
    gpu?.check();
    return given === pictures ? values : values.subarray(0, 3 * area);
  } catch (thrown) {
    throw failure("running the model", gpu ? await gpu.cause(thrown) : thrown);
  }
}

function repeated(values: Values, times: number): Values {
  if (times === 1) return values;
  const all =
    values instanceof Float32Array
      ? new Float32Array(values.length * times)
      : new Uint8Array(values.length * times);
  for (let copy = 0; copy < times; copy++) all.set(values, copy * values.length);
  return all;
}
