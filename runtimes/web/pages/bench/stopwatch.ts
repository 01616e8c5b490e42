/** Times runs: as `benchmarks/targets/tasks/stopwatch.py`, on the browser's clock. */

import type { Policy } from "./protocol.js";

// How often it is noted how far a run without a pause has come.
const LOOK_MS = 5000;
const now = (): number => performance.now();

/** Warms up and samples; times in milliseconds. `between` is awaited before the samples. */
export async function measure(
  run: () => Promise<unknown>,
  policy: Policy,
  between: () => void,
): Promise<{ warmup_ms: number[]; samples_ms: number[] }> {
  const warmup_ms = await repeat(run, policy.min_warmup_runs, policy.min_warmup_ms);
  between();
  const samples_ms = await repeat(run, policy.min_runs, policy.min_seconds * 1000);
  return { warmup_ms, samples_ms };
}

/** Runs without a pause for so many seconds, once at least; `looked_s` is when it was looked at. */
export async function sustain(
  run: () => Promise<unknown>,
  seconds: number,
): Promise<{ at_s: number[]; samples_ms: number[]; looked_s: number[] }> {
  const at_s: number[] = [];
  const samples_ms: number[] = [];
  const looked_s = [0];
  const begin = now();
  let looked = begin;
  for (;;) {
    const start = now();
    await run();
    const stop = now();
    at_s.push((start - begin) / 1000);
    samples_ms.push(stop - start);
    const over = stop >= begin + seconds * 1000;
    if (over || stop - looked >= LOOK_MS) {
      looked_s.push((stop - begin) / 1000);
      looked = stop;
    }
    if (over) return { at_s, samples_ms, looked_s };
  }
}

/** Sleeps, and gives what the stopwatch and the wall clock saw of all but the first. */
export async function sleeps(
  sleeps_ms: readonly number[],
): Promise<{ samples_ms: number[]; slept_ms: number[] }> {
  const samples_ms: number[] = [];
  const slept_ms: number[] = [];
  for (const ms of sleeps_ms) {
    const start = now();
    const began = Date.now();
    await new Promise((resolve) => setTimeout(resolve, ms));
    slept_ms.push(Date.now() - began);
    samples_ms.push(now() - start);
  }
  return { samples_ms: samples_ms.slice(1), slept_ms: slept_ms.slice(1) };
}

async function repeat(run: () => Promise<unknown>, runs: number, ms: number): Promise<number[]> {
  const times: number[] = [];
  const begin = now();
  for (;;) {
    const start = now();
    await run();
    const stop = now();
    times.push(stop - start);
    if (times.length >= runs && stop - begin >= ms) return times;
  }
}
