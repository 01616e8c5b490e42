/** What the page and `bench --target browser` say to each other; see docs/reference/worker.md. */

export type Task = "machine" | "describe" | "measure" | "memory" | "sustain" | "run" | "sleep";

/** How long to warm up and to sample. */
export interface Policy {
  min_warmup_runs: number;
  min_warmup_ms: number;
  min_runs: number;
  min_seconds: number;
}

export interface ModelFile {
  /** On the page's own server. */
  url: string;
  sha256: string;
  bytes: number;
  name: string;
}

/** A task; only the fields that the task needs are there. */
export interface Request {
  task: Task;
  model?: ModelFile | null;
  provider?: "auto" | "webgpu" | "wasm";
  /** 0 leaves it to the page. */
  threads?: number;
  policy?: Policy;
  pictures?: { height: number; width: number }[];
  seconds?: number;
  sleeps_ms?: number[];
}

/** A picture and its hole as raw values, in the model's own form. */
export interface Picture {
  height: number;
  width: number;
  image: ArrayBuffer;
  mask: ArrayBuffer;
}

export interface Asked {
  id: number;
  /** As the plan spells it; null where it belongs to none. */
  row: string | null;
  round: number | null;
  request: Request;
  pictures: Picture[];
}

export interface Plan {
  /** `lama.onnx · webgpu · 512x512` */
  rows: string[];
  rounds: number;
}

/** What became of a row, as the computer has judged it. */
export interface Judged {
  row: string;
  parity: "passed" | "failed" | "not proven" | null;
  error: string | null;
}

export type ErrorKind = "usage" | "model" | "picture" | "missing" | "crash";

/** The document that answers a task: benchmarks/documents/schema/worker-1.schema.json. */
export interface Answer {
  kind: "lama_edge.worker";
  schema_version: 1;
  tool: string;
  task: Task;
  model: {
    manifest: string;
    runtime: "onnxruntime-web";
    version: string;
    provider: string;
    notes: string[];
    parts: string[];
  } | null;
  result: Result;
}

export interface Round {
  load_ms: number;
  first_run_ms: number;
  warmup_ms: number[];
  samples_ms: number[];
  other_load: null;
  sensors: { before: Sensors; after: Sensors };
}

export interface Sustained {
  asked_s: number;
  at_s: number[];
  samples_ms: number[];
  watched: { at_s: number; clock_mhz: null; temperature_c: null; throttled: null }[];
}

/** What a browser tells of the device now: its battery, if anything. */
export interface Sensors {
  clock_mhz: null;
  temperature_c: null;
  throttled: null;
  power_w: null;
  power_mode: null;
  governor: null;
  clocks_pinned: null;
  battery: { percent: number; status: string | null } | null;
}

export interface Result {
  environment?: object;
  sensors?: Sensors;
  load_ms?: number;
  placement?: { providers: Record<string, number>; fell_back: string[] } | null;
  round?: Round;
  peak_memory_bytes?: number | null;
  sustained?: Sustained;
  samples_ms?: number[];
  slept_ms?: number[];
}

/** What the server says in text; pictures follow an `id` as two binary frames each. */
export type Said =
  | { plan: Plan }
  | { busy: string }
  | { refused: string }
  | { done: { rows: Judged[] } }
  | { ended: string }
  | { id: number; row: string | null; round: number | null; request: Request };

/** Puts the server's frames together again. */
export class Reader {
  #open: { asked: Asked; frames: ArrayBuffer[]; expected: number } | null = null;

  /** Takes a frame; returns what is complete with it, null while more has to come. */
  take(frame: string | ArrayBuffer): Exclude<Said, { id: number }> | Asked | null {
    if (typeof frame === "string") {
      if (this.#open !== null) throw new Error("a picture is missing");
      const said = JSON.parse(frame) as Said;
      if (!("id" in said)) return said;
      const expected = 2 * (said.request.pictures ?? []).length;
      this.#open = { asked: { ...said, pictures: [] }, frames: [], expected };
    } else if (this.#open === null) {
      throw new Error("a picture that nobody asked about");
    } else {
      this.#open.frames.push(frame);
    }
    const { asked, frames, expected } = this.#open;
    if (frames.length < expected) return null;
    this.#open = null;
    asked.pictures = (asked.request.pictures ?? []).map((size, at) => ({
      ...size,
      image: frames[2 * at] as ArrayBuffer,
      mask: frames[2 * at + 1] as ArrayBuffer,
    }));
    return asked;
  }
}
