// The cases that Python wrote: pictures with what it gives for them.

import type { Pixels } from "../src/types.js";

export interface Case {
  name: string;
  height: number;
  width: number;
  form: "float" | "uint8";
}

/** Reads a file of the cases. */
export type Read = (name: string) => Promise<Uint8Array<ArrayBuffer>>;

/** From the tests' server. */
export const fetched: Read = async (name) => {
  const response = await fetch(`/cases/${name}`);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
};

export async function readCases(read: Read): Promise<Case[]> {
  return JSON.parse(new TextDecoder().decode(await read("cases.json")));
}

/** Values of the model's own form. */
export function values(bytes: Uint8Array<ArrayBuffer>, form: Case["form"]) {
  return form === "uint8" ? bytes : new Float32Array(bytes.buffer);
}

export async function pixels(read: Read, { name, height, width }: Case, part: string) {
  const channels = part === "mask" ? 1 : 3;
  return { data: await read(`${name}.${part}`), width, height, channels } satisfies Pixels;
}

/** The largest difference of two arrays; NaN when their lengths differ or a value is NaN. */
export function largestDifference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let largest = one.length === other.length ? 0 : Number.NaN;
  for (let at = 0; at < other.length; at++) {
    largest = Math.max(largest, Math.abs(Number(one[at]) - Number(other[at])));
  }
  return largest;
}

/** How close a model's values are, in dB with the form's peak. */
export function psnr(one: ArrayLike<number>, other: ArrayLike<number>, peak: number): number {
  let squares = 0;
  for (let at = 0; at < other.length; at++) squares += (Number(one[at]) - Number(other[at])) ** 2;
  return 10 * Math.log10((peak * peak * other.length) / squares);
}
