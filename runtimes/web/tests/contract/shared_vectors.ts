// The vectors that every wrapper is held to, and their stand-ins: tests/data/vectors/README.md.

import { expect } from "vitest";
import type { ContractModel } from "../../src/contract/contract.js";
import { imageValues, pictureOf, type Values } from "../../src/contract/forms.js";
import type { Hole } from "../../src/contract/hole.js";
import type { Manifest } from "../../src/contract/manifest.js";
import { type Rgb, rgb } from "../../src/contract/pixels.js";
import type { Bytes } from "../../src/contract/rows.js";
import { type IoSpec, problemWith, type SizePolicy } from "../../src/contract/sizes.js";
import type { Plan } from "../../src/contract/strategies.js";
import { LamaEdgeError } from "../../src/errors.js";
import type { Size } from "../../src/types.js";

const VERSION = 3;
const CHANNELS = { grey: 1, rgb: 3, rgba: 4 } as const;

export type Corners = [number, number, number, number];
export type Sides = [number, number];

export interface PictureCase {
  seed: number;
  height: number;
  width: number;
  format: keyof typeof CHANNELS;
}

export interface MaskCase {
  height: number;
  width: number;
  holes: Corners[];
}

export interface PolicyCase {
  fixed: Sides | null;
  multiple: number;
  min_size: number;
  max_side?: number | null;
}

export interface ArrayCase {
  at: number;
  shape: number[];
  dtype: "uint8" | "float32";
}

export interface ChosenCase {
  chosen: string;
  reason: string;
  chosen_max_side: number | null;
  whole: boolean;
  warned: boolean;
  windows: [Corners, Corners][];
}

export interface Refused {
  error?: string;
  code?: string;
}

/** The lists of cases of a file. Throws where it is of another version than these tests know. */
export function listsIn<Lists>(text: string): Lists {
  const { version, ...lists } = JSON.parse(text);
  if (version !== VERSION)
    throw new Error(`vectors of version ${version}: teach them to the tests`);
  return lists;
}

/** The arrays that cases point into, from a file that Vite made a data: address of. */
export async function arraysIn(address: string): Promise<{
  bytes(array: ArrayCase): Bytes;
  floats(array: ArrayCase): Float32Array;
}> {
  const data = await (await fetch(address)).arrayBuffer();
  const part = ({ at, shape, dtype }: ArrayCase, wanted: string, size: number) => {
    expect(dtype).toBe(wanted);
    return data.slice(at, at + shape.reduce((count, extent) => count * extent, size));
  };
  return {
    bytes: (array) => new Uint8Array(part(array, "uint8", 1)),
    // As they lie there: every machine that these tests run on is little-endian.
    floats: (array) => new Float32Array(part(array, "float32", 4)),
  };
}

export const sizeOf = ([height, width]: Sides): Size => ({ height, width });

export const boxOf = ([top, left, bottom, right]: Corners) => ({ top, left, bottom, right });

export function policyOf(policy: PolicyCase): SizePolicy {
  return {
    fixed: policy.fixed && sizeOf(policy.fixed),
    multiple: policy.multiple,
    minSize: policy.min_size,
    maxSide: policy.max_side ?? null,
  };
}

export function pictureFrom({ seed, height, width, format }: PictureCase) {
  const channels = CHANNELS[format];
  const data = new Uint8Array(height * width * channels);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let n = Math.imul(seed, 0x9e3779b1) + Math.imul(y, 0x85ebca77);
        n = (n + Math.imul(x, 0xc2b2ae3d) + Math.imul(c, 0x27d4eb2f)) >>> 0;
        n = Math.imul(n ^ (n >>> 15), 0x2c1b3c6d) >>> 0;
        data[at++] = (n ^ (n >>> 12)) >>> 24;
      }
    }
  }
  return { data, height, width, channels };
}

export function rgbFrom(picture: PictureCase): Rgb {
  const { data } = pictureFrom({ ...picture, format: "rgb" });
  return rgb(picture, data);
}

export function holeFrom({ height, width, holes }: MaskCase): Hole {
  const flags = new Uint8Array(height * width);
  for (const [top, left, bottom, right] of holes) {
    for (let row = top; row < bottom; row++) flags.fill(1, row * width + left, row * width + right);
  }
  return { height, width, flags };
}

/** Fails unless the two hold the same bytes; `expect` alone takes long for so many. */
export function expectSameBytes(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let at = 0; at < expected.length; at++) {
    if (found[at] !== expected[at])
      expect(`${found[at]} at ${at}`).toBe(`${expected[at]} at ${at}`);
  }
}

/** Fails unless the choice and its windows are those of the case. */
export function expectChosen({ choice, windows }: Plan, one: ChosenCase): void {
  expect({
    chosen: choice.strategy,
    reason: choice.code,
    chosen_max_side: choice.maxSide,
    whole: choice.whole,
    warned: choice.warning !== "",
    windows,
  }).toEqual({
    chosen: one.chosen,
    reason: one.reason,
    chosen_max_side: one.chosen_max_side,
    whole: one.whole,
    warned: one.warned,
    windows: one.windows.map(([view, hole]) => ({ view: boxOf(view), hole: boxOf(hole) })),
  });
}

/** Fails unless what is done is refused as the case says. */
export async function expectRefused({ error, code }: Refused, done: () => unknown): Promise<void> {
  const thrown = await Promise.resolve()
    .then(done)
    .then(
      () => null,
      (reason) => reason,
    );
  expect(thrown).toBeInstanceOf(LamaEdgeError);
  expect([thrown.kind, thrown.code]).toEqual([error, code]);
  expect(thrown.message).not.toMatch(/\n|undefined/);
}

/** The manifest of a model that is nowhere exported. */
export function manifestFor(size: SizePolicy, io: IoSpec): Manifest {
  const architecture = { kind: "ffc_resnet", ngf: 64 };
  return {
    format: { name: "stand-in" },
    io,
    batch: null,
    size,
    precision: "fp32",
    dft: "matmul",
    source: { sha256: "0".repeat(64), architecture, parameters: 1 },
    tools: {},
    parity: null,
    numerics: null,
  };
}

/** Fills by integer arithmetic that depends on every pixel's place, neighbours and mask. */
export class ArithmeticModel implements ContractModel {
  readonly manifest: Manifest;
  /** [height, width] of each run, in order. */
  readonly runs: Sides[] = [];

  constructor(size: SizePolicy, io: IoSpec) {
    this.manifest = manifestFor(size, io);
  }

  async run(
    image: Float32Array | Uint8Array,
    mask: Float32Array | Uint8Array,
    height: number,
    width: number,
  ): Promise<Values> {
    const { form, composite } = this.manifest.io;
    const size = { height, width };
    expect(problemWith(this.manifest.size, size)).toBeNull();
    expect([image.length, mask.length]).toEqual([3 * height * width, height * width]);
    expect(Math.max(...new Set(mask))).toBeLessThanOrEqual(form === "float" ? 1 : 255);
    this.runs.push([height, width]);
    const known = pictureOf(form, image, size);
    const filled = arithmeticFill(known, mask);
    if (composite) {
      for (let at = 0; at < filled.data.length; at++) {
        if (mask[Math.floor(at / 3)] === 0) filled.data[at] = known.data[at];
      }
    }
    return imageValues(form, filled);
  }
}

function arithmeticFill({ data, height, width }: Rgb, mask: ArrayLike<number>): Rgb {
  const filled = new Uint8Array(data.length);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const mirrored = y * width + (width - 1 - x);
      const upended = (height - 1 - y) * width;
      const turned = mask[upended + width - 1 - x] > 0 ? 50 : 0;
      for (let c = 0; c < 3; c++) {
        const levels = 3 * data[mirrored * 3 + c] + 5 * data[(upended + x) * 3 + ((c + 1) % 3)];
        filled[at++] = levels + turned + 7 * y + 11 * x + 13 * c;
      }
    }
  }
  return rgb({ height, width }, filled);
}
