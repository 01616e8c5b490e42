// What the Python implementation does, bit for bit: tests/data/vectors/README.md.

import { describe, expect, test } from "vitest";
import inpaintingData from "../../../../tests/data/vectors/inpainting.bin?url&inline";
import inpaintingText from "../../../../tests/data/vectors/inpainting.json?raw";
import manifestsText from "../../../../tests/data/vectors/manifests.json?raw";
import masksData from "../../../../tests/data/vectors/masks.bin?url&inline";
import masksText from "../../../../tests/data/vectors/masks.json?raw";
import pixelsData from "../../../../tests/data/vectors/pixels.bin?url&inline";
import pixelsText from "../../../../tests/data/vectors/pixels.json?raw";
import windowsText from "../../../../tests/data/vectors/windows.json?raw";
import { holeBoxes, boxOf as wholeOf } from "../../src/contract/boxes.js";
import { fillHole, inpaintPixels } from "../../src/contract/contract.js";
import { pictureOf } from "../../src/contract/forms.js";
import { grown, shrunkHole } from "../../src/contract/hole.js";
import { hasPassed, readManifest } from "../../src/contract/manifest.js";
import { readMask } from "../../src/contract/masks.js";
import { croppedRgb, padded, paste, type Rgb } from "../../src/contract/pixels.js";
import { enlarged, shrunk } from "../../src/contract/resampling.js";
import { type IoForm, problemWith, tensorSpecs } from "../../src/contract/sizes.js";
import { plan, runBytesPerPixel } from "../../src/contract/strategies.js";
import { Working } from "../../src/contract/windows.js";
import type { MaskChannel, Size, Strategy } from "../../src/types.js";
import {
  ArithmeticModel,
  type ArrayCase,
  arraysIn,
  boxOf,
  type ChosenCase,
  type Corners,
  expectChosen,
  expectRefused,
  expectSameBytes,
  holeFrom,
  listsIn,
  type MaskCase,
  type PictureCase,
  type PolicyCase,
  pictureFrom,
  policyOf,
  type Refused,
  rgbFrom,
  type Sides,
  sizeOf,
} from "./shared_vectors.js";

interface ManifestCase extends Refused {
  json: string;
  form: string;
  composite: boolean;
  output: string;
  size: PolicyCase;
  precision: string;
  dft: string | null;
  sha256: string;
  parameters: number;
  passed: boolean | null;
}

test.each(listsIn<{ manifests: ManifestCase[] }>(manifestsText).manifests)(
  "manifest %#",
  async (one) => {
    if (one.error !== undefined) return expectRefused(one, () => readManifest(one.json));
    const manifest = readManifest(one.json);
    expect({
      form: manifest.io.form,
      composite: manifest.io.composite,
      output: tensorSpecs(manifest.io)[2].name,
      size: manifest.size,
      precision: manifest.precision,
      dft: manifest.dft,
      sha256: manifest.source.sha256,
      parameters: manifest.source.parameters,
      passed: manifest.parity && hasPassed(manifest.parity),
    }).toEqual({
      form: one.form,
      composite: one.composite,
      output: one.output,
      size: policyOf(one.size),
      precision: one.precision,
      dft: one.dft,
      sha256: one.sha256,
      parameters: one.parameters,
      passed: one.passed,
    });
  },
);

describe("masks", async () => {
  const arrays = await arraysIn(masksData);
  const lists = listsIn<{
    masks: (Refused & {
      mask: ArrayCase;
      format: PictureCase["format"];
      channel: MaskChannel;
      grow: number;
      invert: boolean;
      used: string;
      mostly_hole: boolean;
      result: ArrayCase;
    })[];
    grown: { mask: MaskCase; grow: number; result: ArrayCase }[];
    rules: (Refused & { grow: number })[];
  }>(masksText);

  test.each(lists.masks)("mask %#", async (one) => {
    const [height, width] = one.mask.shape;
    const channels = ({ grey: 1, rgb: 3, rgba: 4 } as const)[one.format];
    const mask = { data: arrays.bytes(one.mask), height, width, channels };
    const { channel, grow, invert } = one;
    const read = () => readMask(mask, { channel, grow, invert });
    if (one.error !== undefined) return expectRefused(one, read);
    const { hole, channel: used, mostlyHole } = read();
    expectSameBytes(hole.flags, arrays.bytes(one.result));
    expect([used, mostlyHole]).toEqual([one.used, one.mostly_hole]);
  });

  test.each(lists.grown)("grown %#", ({ mask, grow, result }) => {
    expectSameBytes(grown(holeFrom(mask), grow).flags, arrays.bytes(result));
  });

  test.each(lists.rules)("a growth that is refused %#", (one) => {
    const mask = { data: Uint8Array.of(9), height: 1, width: 1, channels: 1 } as const;
    return expectRefused(one, () => readMask(mask, { grow: one.grow }));
  });
});

describe("pixels", async () => {
  const arrays = await arraysIn(pixelsData);
  interface ResizedCase {
    picture: PictureCase;
    to: Sides;
    result: ArrayCase;
  }
  const lists = listsIn<{
    noise: { picture: PictureCase; result: ArrayCase }[];
    padded: ResizedCase[];
    shrunk: ResizedCase[];
    enlarged: ResizedCase[];
    shrunk_holes: { mask: MaskCase; to: Sides; result: ArrayCase }[];
    composited: { picture: PictureCase; fill: PictureCase; mask: MaskCase; result: ArrayCase }[];
    float_outputs: (Refused & {
      height: number;
      width: number;
      output: ArrayCase;
      result: ArrayCase;
    })[];
  }>(pixelsText);

  const expectResized = (one: ResizedCase, resized: (picture: Rgb, to: Size) => Rgb) => {
    const { data, height, width } = resized(rgbFrom(one.picture), sizeOf(one.to));
    expect([height, width]).toEqual(one.to);
    expectSameBytes(data, arrays.bytes(one.result));
  };

  test.each(lists.noise)("noise %#", ({ picture, result }) => {
    expectSameBytes(pictureFrom(picture).data, arrays.bytes(result));
  });
  test.each(lists.padded)("padded %#", (one) => expectResized(one, padded));
  test.each(lists.shrunk)("shrunk %#", (one) => expectResized(one, shrunk));
  test.each(lists.enlarged)("enlarged %#", (one) =>
    expectResized(one, (picture, size) => {
      const { height, width } = size;
      const whole = enlarged(picture, size, wholeOf(size));
      const [top, left] = [Math.floor(height / 3), Math.floor(width / 4)];
      const part = { top, left, bottom: height, right: left + 1 };
      expect(enlarged(picture, size, part)).toEqual(croppedRgb(whole, part));
      return whole;
    }),
  );
  test.each(lists.shrunk_holes)("shrunk hole %#", ({ mask, to, result }) => {
    expectSameBytes(shrunkHole(holeFrom(mask), sizeOf(to)).flags, arrays.bytes(result));
  });
  test.each(lists.composited)("composited %#", (one) => {
    const picture = pictureFrom(one.picture);
    const whole = wholeOf(picture);
    paste(picture, rgbFrom(one.fill), whole, holeFrom(one.mask), whole);
    expectSameBytes(picture.data, arrays.bytes(one.result));
  });
  test.each(lists.float_outputs)("float output %#", async (one) => {
    const picture = () => pictureOf("float", arrays.floats(one.output), one);
    if (one.error !== undefined) return expectRefused(one, picture);
    expectSameBytes(picture().data, arrays.bytes(one.result));
  });
});

describe("windows", () => {
  const lists = listsIn<{
    sizes: {
      policy: PolicyCase;
      max_side: number | null;
      size: Sides;
      shrunk: Sides;
      seen: Sides;
      problem: string | null;
    }[];
    plans: (ChosenCase & {
      mask: MaskCase;
      policy: PolicyCase;
      ngf: number;
      strategy: Strategy;
      max_side: number | null;
      free_bytes: number | null;
      boxes: Corners[];
    })[];
    refused: (Refused & { strategy: Strategy; max_side: number })[];
  }>(windowsText);

  test.each(lists.sizes)("size %#", (one) => {
    const size = sizeOf(one.size);
    const working = new Working(policyOf(one.policy), one.max_side);
    expect(working.shrunk(size)).toEqual(sizeOf(one.shrunk));
    expect(working.seen(size)).toEqual(sizeOf(one.seen));
    expect(problemWith(working.policy, size)?.code ?? null).toBe(one.problem);
  });

  test.each(lists.plans)("plan %#", (one) => {
    const hole = holeFrom(one.mask);
    expect(holeBoxes(hole)).toEqual(one.boxes.map(boxOf));
    const bytesPerPixel = runBytesPerPixel(one.ngf, false);
    const made = plan(
      hole,
      { size: policyOf(one.policy), bytesPerPixel },
      {
        strategy: one.strategy,
        maxSide: one.max_side ?? undefined,
        freeBytes: one.free_bytes ?? undefined,
      },
    );
    expectChosen(made, one);
    const times = new Uint8Array(hole.flags.length);
    for (const { hole: box } of made.windows) {
      for (let row = box.top; row < box.bottom; row++) {
        for (let column = box.left; column < box.right; column++)
          times[row * hole.width + column]++;
      }
    }
    // Every hole pixel is in one window.
    expectSameBytes(
      times.map((count, at) => count * hole.flags[at]),
      hole.flags,
    );
  });

  test.each(lists.refused)("an option that is refused %#", (one) => {
    const hole = holeFrom({ height: 1, width: 1, holes: [[0, 0, 1, 1]] });
    const facts = {
      size: { fixed: null, multiple: 1, minSize: 1, maxSide: null },
      bytesPerPixel: 1,
    };
    const options = { strategy: one.strategy, maxSide: one.max_side };
    return expectRefused(one, () => plan(hole, facts, options));
  });
});

describe("inpainting", async () => {
  const arrays = await arraysIn(inpaintingData);
  const { pictures } = listsIn<{
    pictures: (ChosenCase & {
      picture: PictureCase;
      mask: MaskCase;
      policy: PolicyCase;
      form: IoForm;
      composite: boolean;
      strategy: Strategy;
      max_side: number | null;
      runs: Sides[];
      filled: ArrayCase;
    })[];
  }>(inpaintingText);

  test.each(pictures)("picture %#", async (one) => {
    const { form, composite, strategy } = one;
    const picture = pictureFrom(one.picture);
    const before = picture.data.slice();
    const hole = holeFrom(one.mask);
    const model = new ArithmeticModel(policyOf(one.policy), { form, composite });
    const options = { strategy, maxSide: one.max_side ?? undefined };
    const { pixels, chosen } = await fillHole(picture, hole, model, options);
    expectChosen(chosen, one);
    expect(model.runs).toEqual(one.runs);

    const expected = before.slice();
    const filled = arrays.bytes(one.filled);
    let next = 0;
    hole.flags.forEach((flag, at) => {
      for (let c = 0; flag && c < Math.min(3, picture.channels); c++) {
        expected[at * picture.channels + c] = filled[next++];
      }
    });
    expect(next).toBe(filled.length);
    expectSameBytes(pixels.data, expected);
    expectSameBytes(picture.data, before);

    const mask = { data: hole.flags, height: hole.height, width: hole.width, channels: 1 } as const;
    const whole = await inpaintPixels(picture, mask, model, options);
    expectSameBytes(whole.pixels.data, expected);
    expect([whole.report.strategy, whole.report.code]).toEqual([one.chosen, one.reason]);
    expect(whole.report.runs).toBe(one.windows.length);
  });
});
