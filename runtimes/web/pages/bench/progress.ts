/** What the page shows, and how it changes: all of it plain data, so that it can be tested. */

import type { Answer, Asked, Judged, Plan } from "./protocol.js";

export interface Row {
  title: string;
  state: "waiting" | "running" | "measured" | "failed";
  /** Which round it is in, or had last; 0 before the first. */
  round: number;
  /** Of all rounds so far, in milliseconds. */
  samples_ms: number[];
  load_ms: number | null;
  first_run_ms: number | null;
  memory_bytes: number | null;
  /** What runs it: `webgpu`, and the runtime's version. */
  provider: string | null;
  version: string | null;
  /** Names of nodes that were left to the processor. */
  fell_back: string[];
  notes: string[];
  error: string | null;
  parity: Judged["parity"];
}

/** How it ends before all is measured; `lost` may come back. */
export type Ending = "lost" | "stopped" | "busy" | "refused" | "ended" | "gone";

export interface Shown {
  phase: "connecting" | "ready" | "running" | "done" | Ending;
  /** What the server says to the phase. */
  text: string;
  rows: Row[];
  rounds: number;
  /** The row that runs, by its title. */
  current: string | null;
  /** What is done now. */
  step: string;
  /** Bytes of a download, while there is one. */
  download: { loaded: number; total: number } | null;
  /** Tasks that were done, for the bar. */
  tasks: number;
}

export type Happened =
  | { on: "plan"; plan: Plan; started: boolean }
  | { on: "start" }
  | { on: "asked"; asked: Asked }
  | { on: "download"; loaded: number; total: number }
  | { on: "step"; step: string }
  | { on: "answer"; asked: Asked; answer: Answer }
  | { on: "error"; asked: Asked; error: string }
  | { on: "done"; rows: Judged[] }
  | { on: "over"; phase: Ending; text: string };

export const START: Shown = {
  phase: "connecting",
  text: "",
  rows: [],
  rounds: 1,
  current: null,
  step: "",
  download: null,
  tasks: 0,
};

/** Returns what is shown after something happened. */
export function next(shown: Shown, happened: Happened): Shown {
  switch (happened.on) {
    case "plan":
      return planned(shown, happened.plan, happened.started);
    case "start":
      return { ...shown, phase: "running", step: "waiting for the computer" };
    case "asked":
      return asked(shown, happened.asked);
    case "download":
      return { ...shown, download: { loaded: happened.loaded, total: happened.total } };
    case "step":
      return { ...shown, step: happened.step, download: null };
    case "answer":
      return answered(shown, happened.asked, happened.answer);
    case "error":
      return {
        ...changed(shown, happened.asked, () => ({ state: "failed", error: happened.error })),
        ...IDLE,
        tasks: tasksAfter(shown, happened.asked),
      };
    case "done":
      return judged(shown, happened.rows);
    case "over":
      return over(shown, happened.phase, happened.text);
  }
}

/** How much is done, 0 to 1: of each row its opening, its rounds and the run for its memory. */
export function share({ rows, rounds, tasks, phase }: Shown): number {
  if (phase === "done") return 1;
  // Never full before all is over: a sustained run, or other sizes, come on top.
  return Math.min(0.98, tasks / Math.max(1, rows.length * (rounds + 2)));
}

/** The median, as the computer's own: between the two in the middle where there are two. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]] as [number, number];
  return (low + high) / 2;
}

const IDLE = { step: "", download: null };

function planned(shown: Shown, { rows, rounds }: Plan, started: boolean): Shown {
  const known = new Map(shown.rows.map((row) => [row.title, row]));
  return {
    ...shown,
    phase: started ? "running" : "ready",
    text: "",
    rows: rows.map((title) => known.get(title) ?? rowOf(title)),
    rounds,
    step: started ? "waiting for the computer" : "",
  };
}

function asked(shown: Shown, request: Asked): Shown {
  const { row: title, round } = request;
  const rows =
    title !== null && find(shown.rows, title) === -1 ? [...shown.rows, rowOf(title)] : shown.rows;
  return {
    ...changed({ ...shown, rows }, request, (row) => ({
      state: row.state === "failed" ? "failed" : "running",
      round: round ?? row.round,
    })),
    phase: "running",
    step: WORDS[request.request.task],
    download: null,
  };
}

const WORDS = {
  machine: "looking at the device",
  describe: "opening the model",
  measure: "opening the model",
  memory: "opening the model",
  sustain: "opening the model",
  run: "opening the model",
  sleep: "checking the stopwatch",
};

function answered(shown: Shown, request: Asked, { model, result }: Answer): Shown {
  const found = changed(shown, request, (row) => {
    const { round, sustained } = result;
    return {
      state:
        request.request.task === "measure" && row.round < shown.rounds ? "running" : "measured",
      samples_ms: [...row.samples_ms, ...(round?.samples_ms ?? [])],
      load_ms: row.load_ms ?? round?.load_ms ?? null,
      first_run_ms: row.first_run_ms ?? round?.first_run_ms ?? null,
      memory_bytes: result.peak_memory_bytes ?? row.memory_bytes,
      provider: model?.provider ?? row.provider,
      version: model?.version ?? row.version,
      fell_back: result.placement?.fell_back ?? row.fell_back,
      notes: [...new Set([...row.notes, ...(model?.notes ?? [])])],
      ...(sustained !== undefined && { state: "measured" as const }),
      ...(request.request.task === "describe" && { state: "waiting" as const }),
    };
  });
  return { ...found, ...IDLE, step: "waiting for the computer", tasks: tasksAfter(shown, request) };
}

/** What looks at the device alone is no part of the bar. */
function tasksAfter({ tasks }: Shown, { row }: Asked): number {
  return row === null ? tasks : tasks + 1;
}

const CUT = {
  lost: "the connection to the computer broke meanwhile",
  stopped: "stopped before it was measured",
  ended: "the command on the computer ended before it was measured",
};

function over(shown: Shown, phase: Ending, text: string): Shown {
  const error = phase in CUT ? CUT[phase as keyof typeof CUT] : CUT.lost;
  const rows = shown.rows.map((row) =>
    row.state === "running" ? { ...row, state: "failed" as const, error } : row,
  );
  return { ...shown, ...IDLE, phase, text, current: null, rows };
}

function judged(shown: Shown, verdicts: Judged[]): Shown {
  const rows = shown.rows.map((row) => {
    const verdict = verdicts.find((one) => one.row === row.title);
    if (verdict === undefined) return row;
    const { parity, error } = verdict;
    return { ...row, parity, error, state: error === null ? row.state : ("failed" as const) };
  });
  return { ...shown, ...IDLE, phase: "done", text: "", current: null, rows };
}

/** Where a title is among the rows: itself, or, without its size, the first one of that model. */
function find(rows: readonly Row[], title: string): number {
  const exact = rows.findIndex((row) => row.title === title);
  return exact === -1 ? rows.findIndex((row) => row.title.startsWith(`${title} · `)) : exact;
}

function changed(shown: Shown, { row }: Asked, change: (row: Row) => Partial<Row>): Shown {
  const at = row === null ? -1 : find(shown.rows, row);
  const rows = shown.rows.map((one, index) => (index === at ? { ...one, ...change(one) } : one));
  return { ...shown, rows, current: rows[at]?.title ?? null };
}

function rowOf(title: string): Row {
  return {
    title,
    state: "waiting",
    round: 0,
    samples_ms: [],
    load_ms: null,
    first_run_ms: null,
    memory_bytes: null,
    provider: null,
    version: null,
    fell_back: [],
    notes: [],
    error: null,
    parity: null,
  };
}
