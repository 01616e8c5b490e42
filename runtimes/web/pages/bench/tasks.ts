/** Does a task with ONNX Runtime Web, in a worker that nothing was run in before. */

import { readManifest } from "../../src/contract/manifest.js";
import { manifestText } from "../../src/contract/onnx_metadata.js";
import { LamaEdgeError } from "../../src/errors.js";
import { failure } from "../../src/model/failures.js";
import { problemWithGpu } from "../../src/model/gpu.js";
import { loadOrt, possibleThreads } from "../../src/model/loading.js";
import { watchWasmMemory } from "../../src/model/memory.js";
import { type Model, openModel } from "../../src/model/model.js";
import type { Provider } from "../../src/types.js";
import type { Answer, Picture, Request, Result } from "./protocol.js";
import { measure, sleeps, sustain } from "./stopwatch.js";

export interface Job {
  request: Request;
  /** The model's file. */
  file: Blob | null;
  pictures: Picture[];
  /** The folder of ONNX Runtime Web's files. */
  ort: string;
  /** Of this page. */
  tool: string;
}

/** What a task found. What only the page can see is added there. */
export interface Found {
  answer: Answer;
  outputs: ArrayBuffer[];
}

const NO_SENSORS = { clock_mhz: null, temperature_c: null, throttled: null } as const;
const MOST_FELL_BACK = 20;
// The graph `out = Identity(in)`, one float, as an ONNX file.
const IDENTITY = Uint8Array.from(
  atob("CAk6NQoTCgJpbhIDb3V0IghJZGVudGl0eRIBZ1oMCgJpbhIGCgQIARIAYg0KA291dBIGCgQIARIAQgQKABAR"),
  (letter) => letter.charCodeAt(0),
);

// Before the runtime is there: it makes its memory as it starts.
const wasmBytes = watchWasmMemory();

/**
 * Does a task.
 *
 * @param step called with each step.
 */
export async function work(job: Job, step: (text: string) => void): Promise<Found> {
  const { request } = job;
  if (request.task === "sleep") {
    return { answer: answered(job, null, await sleeps(request.sleeps_ms ?? [])), outputs: [] };
  }
  const { model, load_ms } = await opened(job, step);
  const outputs: ArrayBuffer[] = [];
  try {
    const result = await worked(job, model, load_ms, outputs, step);
    return { answer: answered(job, model, result), outputs };
  } finally {
    await model.close();
  }
}

async function opened(
  job: Job,
  step: (text: string) => void,
): Promise<{ model: Model; load_ms: number }> {
  const { request } = job;
  const bytes = new Uint8Array(await (job.file as Blob).arrayBuffer());
  const threads = request.threads || undefined;
  const provider = await providerFor(bytes, request.provider ?? "auto");
  step("starting ONNX Runtime Web");
  // The runtime's own beginning is none of the model's: its import, instance, threads, GPU device.
  const ort = await loadOrt(new URL(job.ort), provider);
  ort.env.wasm.numThreads = possibleThreads(threads).threads;
  try {
    const first = await ort.InferenceSession.create(IDENTITY, { executionProviders: [provider] });
    await first.release();
  } catch (thrown) {
    throw failure("starting", thrown);
  }
  step(`opening ${request.model?.name}`);
  const start = performance.now();
  let model = await openModel(bytes, { ort, provider, threads });
  const load_ms = performance.now() - start;
  if (request.task === "describe") {
    // A second time, because what it logs meanwhile takes time.
    await model.close();
    model = await openModel(bytes, { ort, provider, threads, placement: true });
  }
  return { model, load_ms };
}

/** Who runs a model; WebGPU that cannot is found out before it is started. */
async function providerFor(bytes: Uint8Array, asked: "auto" | Provider): Promise<Provider> {
  if (asked === "wasm") return asked;
  const problem = await problemWithGpu(readManifest(manifestText(bytes)));
  if (problem === null) return "webgpu";
  if (asked === "auto") return "wasm";
  throw new LamaEdgeError("missing", problem);
}

async function worked(
  job: Job,
  model: Model,
  load_ms: number,
  outputs: ArrayBuffer[],
  step: (text: string) => void,
): Promise<Result> {
  const { request, pictures } = job;
  if (request.task === "describe") {
    const found = model.placement;
    const fell_back = found?.fellBack.slice(0, MOST_FELL_BACK) ?? [];
    return { load_ms, placement: found && { providers: found.providers, fell_back } };
  }
  if (request.task === "run") {
    for (const picture of pictures) {
      step(`running at ${picture.width}x${picture.height}`);
      outputs.push(own(await runner(model, picture)()));
    }
    return {};
  }
  const run = runner(model, pictures[0] as Picture);
  if (request.task === "memory") {
    step("running twice for the peak memory");
    await run();
    await run();
    // Of a GPU's memory nothing is told.
    return { peak_memory_bytes: wasmBytes() || null };
  }
  step("warming up");
  if (request.task === "sustain") {
    await run();
    step("sampling");
    const { at_s, samples_ms, looked_s } = await sustain(run, request.seconds ?? 0);
    step("sampled");
    const watched = looked_s.map((at) => ({ at_s: at, ...NO_SENSORS }));
    return { sustained: { asked_s: request.seconds ?? 0, at_s, samples_ms, watched } };
  }
  const policy = request.policy ?? {
    min_warmup_runs: 3,
    min_warmup_ms: 200,
    min_runs: 10,
    min_seconds: 3,
  };
  const timed = await measure(run, policy, () => step("sampling"));
  step("sampled");
  outputs.push(own(await run()));
  const none = { ...NO_SENSORS, power_w: null, power_mode: null, governor: null };
  const sensors = { ...none, clocks_pinned: null, battery: null };
  return {
    round: {
      load_ms,
      first_run_ms: timed.warmup_ms[0] as number,
      ...timed,
      other_load: null,
      sensors: { before: sensors, after: sensors },
    },
  };
}

function runner(model: Model, picture: Picture): () => Promise<Float32Array | Uint8Array> {
  const Values = model.manifest.io.form === "float" ? Float32Array : Uint8Array;
  const [image, mask] = [new Values(picture.image), new Values(picture.mask)];
  return () => model.run(image, mask, picture.height, picture.width);
}

/** The bytes of an output, and no more than those. */
function own(values: Float32Array | Uint8Array): ArrayBuffer {
  return values.slice().buffer as ArrayBuffer;
}

function answered(job: Job, model: Model | null, result: Result): Answer {
  return {
    kind: "lama_edge.worker",
    schema_version: 1,
    tool: job.tool,
    task: job.request.task,
    model: model && {
      manifest: model.manifestText,
      runtime: "onnxruntime-web",
      version: model.version,
      provider: model.provider,
      notes: [...model.notes],
      parts: [],
    },
    result,
  };
}
