// The bench page's stopwatch: what counts as warm-up, what as a sample, and when it is enough.

import { expect, it } from "vitest";
import { measure, sleeps, sustain } from "../../../pages/bench/stopwatch.js";

const rest = (ms: number) => () => new Promise((resolve) => setTimeout(resolve, ms));

it("warms up and samples until both runs and time are enough", async () => {
  let runs = 0;
  let before = 0;
  const run = async () => {
    runs += 1;
    await rest(5)();
  };
  const policy = { min_warmup_runs: 2, min_warmup_ms: 0, min_runs: 3, min_seconds: 0.05 };
  const found = await measure(run, policy, () => {
    before = runs;
  });
  expect(found.warmup_ms).toHaveLength(before);
  expect(before).toBe(2);
  expect(found.samples_ms).toHaveLength(runs - before);
  expect(found.samples_ms.length).toBeGreaterThanOrEqual(3);
  // A timer may fire a little early, by its rounding.
  expect(found.samples_ms.reduce((sum, one) => sum + one)).toBeGreaterThan(45);
  expect(Math.min(...found.samples_ms)).toBeGreaterThan(3);
});

it("takes as many runs as asked for where time is enough already", async () => {
  const policy = { min_warmup_runs: 1, min_warmup_ms: 0, min_runs: 4, min_seconds: 0 };
  expect((await measure(rest(0), policy, () => {})).samples_ms).toHaveLength(4);
});

it("runs without a pause once at least, and looks at the begin and the end", async () => {
  const once = await sustain(rest(2), 0);
  expect(once.samples_ms).toHaveLength(1);
  expect(once.at_s[0]).toBeLessThan(0.5);
  expect(once.looked_s).toHaveLength(2);
  const more = await sustain(rest(2), 0.05);
  expect(more.at_s).toHaveLength(more.samples_ms.length);
  expect(more.at_s).toEqual([...more.at_s].sort((a, b) => a - b));
  expect(more.at_s.at(-1)).toBeLessThan(0.05);
});

it("measures sleeps beside the wall clock, all but the first", async () => {
  const { samples_ms, slept_ms } = await sleeps([1, 20, 30]);
  expect(samples_ms).toHaveLength(2);
  expect(slept_ms).toHaveLength(2);
  for (const [at, ms] of [20, 30].entries()) {
    expect(samples_ms[at]).toBeGreaterThan(ms - 2);
    expect(Math.abs((samples_ms[at] ?? 0) - (slept_ms[at] ?? 0))).toBeLessThan(3);
  }
});
