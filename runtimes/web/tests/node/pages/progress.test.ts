// What the bench page shows as it is told things.

import { describe, expect, it } from "vitest";
import type { Happened, Shown } from "../../../pages/bench/progress.js";
import { median, next, START, share } from "../../../pages/bench/progress.js";
import type { Answer, Asked, Round, Task } from "../../../pages/bench/protocol.js";

const A = "a.onnx · wasm · 64x64";
const B = "b.onnx · webgpu · 64x64";
const PLAN: Happened = { on: "plan", plan: { rows: [A, B], rounds: 2 }, started: false };

function asked(task: Task, row: string | null, round: number | null = null): Asked {
  return { id: 1, row, round, request: { task }, pictures: [] };
}

function answer(task: Task, result: Answer["result"], notes: string[] = []): Answer {
  const model = { manifest: "{}", runtime: "onnxruntime-web", version: "1.30.0" } as const;
  return {
    kind: "lama_edge.worker",
    schema_version: 1,
    tool: "lama-edge-web 0.1.0",
    task,
    model: { ...model, provider: "wasm", notes, parts: [] },
    result,
  };
}

function round(samples_ms: number[], load_ms: number): { round: Round } {
  const times = { load_ms, first_run_ms: 9, warmup_ms: [9], samples_ms, other_load: null };
  return { round: { ...times, sensors: {} as Round["sensors"] } };
}

function shownAfter(...happened: Happened[]): Shown {
  return happened.reduce(next, START);
}

function measured(row: string, number: number, samples: number[]): Happened[] {
  const request = asked("measure", row, number);
  const found = answer("measure", round(samples, 100 * number));
  return [
    { on: "asked", asked: request },
    { on: "answer", asked: request, answer: found },
  ];
}

describe("rows", () => {
  it("are what the plan says, and wait until somebody presses start", () => {
    const shown = shownAfter(PLAN);
    expect(shown.phase).toBe("ready");
    expect(shown.rows.map(({ title, state }) => [title, state])).toEqual([
      [A, "waiting"],
      [B, "waiting"],
    ]);
  });

  it("gather the samples of all rounds, and keep the first loading", () => {
    const shown = shownAfter(
      PLAN,
      { on: "start" },
      ...measured(A, 1, [3, 1]),
      ...measured(A, 2, [8]),
    );
    expect(shown.rows[0]).toMatchObject({
      state: "measured",
      round: 2,
      samples_ms: [3, 1, 8],
      load_ms: 100,
      provider: "wasm",
    });
    expect(shown.rows[1]?.samples_ms).toEqual([]);
  });

  it("run until the last round was answered", () => {
    expect(shownAfter(PLAN, ...measured(A, 1, [3])).rows[0]?.state).toBe("running");
  });

  it("take what is said of a model of any size before its sizes are known", () => {
    const request = asked("describe", "a.onnx · wasm");
    const found = answer("describe", { load_ms: 1 }, ["1 thread works instead of 2"]);
    const shown = shownAfter(
      PLAN,
      { on: "asked", asked: request },
      {
        on: "answer",
        asked: request,
        answer: found,
      },
    );
    expect(shown.rows).toHaveLength(2);
    expect(shown.rows[0]?.notes).toEqual(["1 thread works instead of 2"]);
  });

  it("appear where the plan had none, as when parity asks", () => {
    const empty: Happened = { on: "plan", plan: { rows: [], rounds: 0 }, started: false };
    expect(shownAfter(empty, { on: "asked", asked: asked("run", A) }).rows[0]?.title).toBe(A);
  });

  it("fail with the error, and stay failed", () => {
    const request = asked("measure", A, 1);
    const shown = shownAfter(
      PLAN,
      { on: "asked", asked: request },
      { on: "error", asked: request, error: "memory ended" },
      { on: "asked", asked: asked("describe", A) },
    );
    expect(shown.rows[0]).toMatchObject({ state: "failed", error: "memory ended" });
  });

  it("that run when the connection breaks are failed, and the plan that comes again keeps them", () => {
    const lost: Happened = { on: "over", phase: "lost", text: "" };
    const shown = shownAfter(PLAN, ...measured(A, 1, [3]), lost, { ...PLAN, started: true });
    expect(shown.phase).toBe("running");
    expect(shown.rows[0]).toMatchObject({ state: "failed", samples_ms: [3] });
    expect(shown.rows[1]?.state).toBe("waiting");
  });

  it("get the computer's verdict at the end", () => {
    const rows = [
      { row: A, parity: "passed" as const, error: null },
      { row: B, parity: null, error: "no WebGPU" },
    ];
    const shown = shownAfter(PLAN, ...measured(A, 1, [3]), { on: "done", rows });
    expect(shown.phase).toBe("done");
    expect(shown.rows[0]?.parity).toBe("passed");
    expect(shown.rows[1]).toMatchObject({ state: "failed", error: "no WebGPU" });
  });
});

describe("the bar", () => {
  it("counts each row's opening, rounds and memory, and nothing that only looks at the device", () => {
    const machine = asked("machine", null);
    const looked = shownAfter(PLAN, {
      on: "answer",
      asked: machine,
      answer: answer("machine", {}),
    });
    expect(share(looked)).toBe(0);
    expect(share(shownAfter(PLAN, ...measured(A, 1, [3]), ...measured(A, 2, [3])))).toBe(2 / 8);
  });

  it("is full when all is over, not before", () => {
    const many = Array.from({ length: 30 }, () => measured(A, 2, [1])).flat();
    expect(share(shownAfter(PLAN, ...many))).toBeLessThan(1);
    expect(share(shownAfter(PLAN, { on: "done", rows: [] }))).toBe(1);
  });
});

describe("the download", () => {
  it("is shown until the next step", () => {
    const loading: Happened = { on: "download", loaded: 3, total: 4 };
    expect(shownAfter(PLAN, loading).download).toEqual({ loaded: 3, total: 4 });
    expect(shownAfter(PLAN, loading, { on: "step", step: "warming up" }).download).toBeNull();
  });
});

describe("the median", () => {
  it("lies between the two in the middle", () => {
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(median([4, 10, 2])).toBe(4);
    expect(median([])).toBeNull();
  });
});
