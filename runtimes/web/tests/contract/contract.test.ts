// What the vectors do not show: what does not fit, figures beyond reason, and rounding.

import { describe, expect, test } from "vitest";
import { type ContractModel, inpaintPixels } from "../../src/contract/contract.js";
import { pictureOf } from "../../src/contract/forms.js";
import { grown, type Hole, paddedHole } from "../../src/contract/hole.js";
import { readMask } from "../../src/contract/masks.js";
import { padded, rgb } from "../../src/contract/pixels.js";
import { problemWith } from "../../src/contract/sizes.js";
import { plan, runBytesPerPixel } from "../../src/contract/strategies.js";
import { integerRoot } from "../../src/contract/windows.js";
import type { LamaEdgeError } from "../../src/errors.js";
import type { MaskChannel, Pixels, Strategy } from "../../src/types.js";
import { ArithmeticModel, manifestFor, pictureFrom } from "./shared_vectors.js";

const DYNAMIC = { fixed: null, multiple: 8, minSize: 16, maxSide: null };
const FLOAT = { form: "float", composite: true } as const;
const UINT8 = { form: "uint8", composite: true } as const;

function grey(height: number, width: number, ...data: number[]): Pixels {
  return { data: Uint8Array.from(data), height, width, channels: 1 };
}

function rgba(width: number, ...data: number[]): Pixels {
  return { data: Uint8Array.from(data), height: 1, width, channels: 4 };
}

function fullMask(height: number, width: number): Pixels {
  return grey(height, width, ...Array(height * width).fill(255));
}

function fullHole(height: number, width: number): Hole {
  return { height, width, flags: new Uint8Array(height * width).fill(1) };
}

async function refusal(done: () => unknown): Promise<LamaEdgeError> {
  return Promise.resolve()
    .then(done)
    .then(
      () => {
        throw new Error("nothing was thrown");
      },
      (error) => error,
    );
}

describe("what cannot be used", () => {
  const model = new ArithmeticModel(DYNAMIC, UINT8);
  const picture = pictureFrom({ seed: 1, height: 4, width: 6, format: "rgb" });

  test.each<[string, Partial<Record<keyof Pixels, unknown>>]>([
    ["is empty: 0x4 (width x height)", { width: 0 }],
    ["is empty: 6x-4", { height: -4 }],
    ["is empty: 6.5x4", { width: 6.5 }],
    ["is empty: NaNx4", { width: Number.NaN }],
    ["is empty: undefinedx4", { width: undefined }],
    ["of 6x4 (width x height) has 71 bytes: give 3", { data: new Uint8Array(71) }],
    ["of 100000000x4 (width x height) has 72 bytes", { width: 1e8 }],
    ["has 2 channels", { channels: 2 }],
    ["has no bytes: give a Uint8Array", { data: Array(72).fill(0) }],
    ["has no bytes: give a Uint8Array", { data: new Float32Array(72) }],
  ])("the picture %s", async (hint, change) => {
    const bad = { ...picture, ...change } as Pixels;
    const error = await refusal(() => inpaintPixels(bad, fullMask(4, 6), model));
    expect([error.kind, error.message]).toEqual(["picture", expect.stringContaining(hint)]);
    expect(error.message).toMatch(/^the picture /);
    const asMask = await refusal(() => inpaintPixels(fullMask(4, 6), bad, model));
    expect([asMask.kind, asMask.message.slice(0, 8)]).toEqual(["picture", "the mask"]);
  });

  test("a buffer that was given to a worker has no bytes left", async () => {
    const gone = pictureFrom({ seed: 1, height: 4, width: 6, format: "rgb" });
    structuredClone(gone.data, { transfer: [gone.data.buffer] });
    const { message } = await refusal(() => inpaintPixels(gone, fullMask(4, 6), model));
    expect(message).toBe("the picture of 6x4 (width x height) has 0 bytes: give 3 for each pixel");
  });

  test("a mask of another size", async () => {
    const { kind, message } = await refusal(() => inpaintPixels(picture, fullMask(6, 4), model));
    expect([kind, message]).toEqual([
      "picture",
      "the mask is 4x6 (width x height) and the picture 6x4 (width x height): give a mask of the " +
        "picture's size",
    ]);
  });

  test.each([
    [{ strategy: "tiles" as Strategy }, "there is no strategy 'tiles'"],
    [{ maxSide: 99.5 }, "maxSide 99.5 is no whole number"],
    [{ maxSide: Number.NaN }, "maxSide NaN is no whole number"],
    [{ mask: { channel: "cyan" as MaskChannel } }, "there is no mask channel 'cyan'"],
    [{ mask: { grow: 1.5 } }, "a mask cannot grow by 1.5 pixels: give 0 to 1024"],
    [{ mask: { grow: Number.NaN } }, "a mask cannot grow by NaN pixels"],
  ])("the option %o", async (options, hint) => {
    const error = await refusal(() => inpaintPixels(picture, fullMask(4, 6), model, options));
    expect([error.kind, error.message]).toEqual(["usage", expect.stringContaining(hint)]);
  });

  test("the model was run for none of them", () => expect(model.runs).toEqual([]));
});

describe("the model", () => {
  const picture = pictureFrom({ seed: 2, height: 40, width: 300, format: "rgb" });
  const mask = grey(40, 300, ...Array.from({ length: 12000 }, (_, at) => +(at % 299 < 2)));

  function modelThat(run: ContractModel["run"], io = FLOAT): ContractModel {
    return { manifest: manifestFor(DYNAMIC, io), run };
  }

  test("is not run where there is no hole, and the result has memory of its own", async () => {
    const model = modelThat(() => Promise.reject(new Error("it was run")));
    const { pixels, report } = await inpaintPixels(picture, grey(40, 300, ...Array(12000)), model);
    expect(pixels).toEqual(picture);
    expect(pixels.data).not.toBe(picture.data);
    expect([report.strategy, report.code, report.runs]).toEqual(["none", "no_hole", 0]);
  });

  test("has what it throws passed on, and the picture left alone", async () => {
    const before = picture.data.slice();
    const failed = new Error("failed");
    const model = modelThat(() => Promise.reject(failed));
    expect(await refusal(() => inpaintPixels(picture, mask, model))).toBe(failed);
    expect(picture.data).toEqual(before);
  });

  test.each<[string, Float32Array | Uint8Array]>([
    ["6 float32 values for 304x40", new Float32Array(6)],
    ["36480 uint8 values for 304x40", new Uint8Array(3 * 304 * 40)],
  ])("that returns %s is refused", async (hint, output) => {
    const model = modelThat(() => Promise.resolve(output));
    const error = await refusal(() => inpaintPixels(picture, mask, model, { strategy: "full" }));
    expect(error.message).toContain(`the model returned ${hint}`);
    expect([error.kind, error.message]).toEqual([
      "model",
      expect.stringMatching(/export it again$/),
    ]);
  });

  test("is not run again once the work was cancelled", async () => {
    const cancel = new AbortController();
    const apart = grey(40, 300, ...Array.from({ length: 12000 }, (_, at) => +(at % 300 < 2)));
    for (let row = 0; row < 40; row++) apart.data[row * 300 + 299] = 1;
    const options = { strategy: "crop", maxSide: 64, signal: cancel.signal } as const;
    const arithmetic = new ArithmeticModel(DYNAMIC, FLOAT);
    await inpaintPixels(picture, apart, arithmetic, options);
    expect(arithmetic.runs.length).toBeGreaterThan(1);
    let runs = 0;
    const model = modelThat((image, hole, height, width) => {
      runs += 1;
      cancel.abort();
      return arithmetic.run(image, hole, height, width);
    });
    const { kind } = await refusal(() => inpaintPixels(picture, apart, model, options));
    expect([kind, runs]).toEqual(["cancelled", 1]);
  });

  test("gets bytes of its own: it may keep or give away what it was given", async () => {
    const model = new ArithmeticModel(DYNAMIC, UINT8);
    const small = pictureFrom({ seed: 3, height: 16, width: 24, format: "rgb" });
    const before = small.data.slice();
    const run: ContractModel["run"] = async (image, hole, height, width) => {
      const output = await model.run(image, hole, height, width);
      image.fill(0);
      hole.fill(0);
      return output;
    };
    const spoiling = { manifest: model.manifest, run };
    const { pixels } = await inpaintPixels(small, fullMask(16, 24), spoiling);
    expect(small.data).toEqual(before);
    expect(pixels).toEqual((await inpaintPixels(small, fullMask(16, 24), model)).pixels);
  });
});

describe("rounding", () => {
  // Every level, what lies halfway between two, and its neighbours among the floats.
  const halfway = Array.from({ length: 528 }, (_, twice) => (twice - 8) / 510).flatMap((share) => {
    const bits = new Int32Array(Float32Array.of(share).buffer);
    return [bits[0] - 1, bits[0], bits[0] + 1].flatMap((one) => {
      const [value] = new Float32Array(Int32Array.of(one).buffer);
      return [value, value, value];
    });
  });
  const values = Float32Array.from(halfway, (value) => (Number.isFinite(value) ? value : 0));
  const size = { height: 1, width: values.length / 3 };

  test("gives the nearest whole number, of two the even one", () => {
    const { data } = pictureOf("float", values, size);
    let ties = 0;
    values.forEach((value, at) => {
      const level = Math.min(255, Math.max(0, Math.fround(value * 255)));
      const below = Math.floor(level);
      ties += Number(level - below === 0.5);
      const up = level - below > 0.5 || (level - below === 0.5 && below % 2 === 1);
      expect(data[(at % size.width) * 3 + Math.floor(at / size.width)]).toBe(
        up ? below + 1 : below,
      );
    });
    expect(ties).toBeGreaterThan(255);
  });

  test("counts what is not finite, on the scale of levels", async () => {
    const broken = values.slice();
    broken[0] = Number.POSITIVE_INFINITY;
    broken[values.length - 1] = -3.4e38;
    const of = `of ${values.length} values`;
    const infinite = await refusal(() => pictureOf("float", broken, size));
    expect(infinite.message).toContain(`the model returned infinity at 2 ${of}`);
    broken[values.length / 2] = Number.NaN;
    const nan = await refusal(() => pictureOf("float", broken, size));
    expect([nan.code, nan.message]).toEqual([
      "output_nan",
      expect.stringContaining(`the model returned NaN at 3 ${of}`),
    ]);
  });
});

describe("windows", () => {
  test.each([
    [Number.MAX_SAFE_INTEGER, 1, "resize"],
    [-5, -7, "resize"],
    [-Number.MAX_VALUE, Number.MAX_VALUE, "full"],
  ])("%d features in %d bytes are planned for", (features, freeBytes, strategy) => {
    const hole = { height: 2, width: 3, flags: Uint8Array.of(1, 0, 1, 0, 1, 1) };
    const facts = { size: DYNAMIC, bytesPerPixel: runBytesPerPixel(features, false) };
    const made = plan(hole, facts, { maxSide: 2 ** 31 - 1, freeBytes });
    expect([made.choice.strategy, made.windows.length]).toEqual([strategy, 1]);
  });

  test("a line of a picture is planned for a model of one line across it", () => {
    const size = { fixed: { height: 16384, width: 1 }, multiple: 1, minSize: 1, maxSide: null };
    const facts = { size, bytesPerPixel: 1e15 };
    const made = plan(fullHole(1, 2 ** 20), facts, { strategy: "crop", freeBytes: 1 });
    expect(made.windows.length).toBeGreaterThan(0);
    expect(made.choice.warning).toContain("takes about");
  });

  test.each([64, 256])("a model's largest side bounds windows of %d", (maxSide) => {
    const facts = { size: { ...DYNAMIC, maxSide: 128 }, bytesPerPixel: 1 };
    const { working } = plan(fullHole(30, 40), facts, { strategy: "crop", maxSide });
    expect(working.maxSide).toBe(Math.min(maxSide, 128));
  });

  test.each([
    [136, 16, "at most 128"],
    [8, 16, "at least 16"],
    [3, 121, "multiples of 8; next is 16x128"],
  ])("a model says why it does not take %dx%d", (height, width, reason) => {
    const problem = problemWith({ ...DYNAMIC, maxSide: 128 }, { height, width });
    expect(problem?.description).toBe(`height and width must be ${reason}`);
  });

  test.each([1, 2, 3, 1000, 94906265])("the root of %d squared is exact beside it", (root) => {
    expect(integerRoot(root * root)).toBe(root);
    expect(integerRoot(root * root - 1)).toBe(root - 1);
    expect(integerRoot(root * root + 1)).toBe(root);
    expect(integerRoot(0)).toBe(0);
  });
});

describe("masks", () => {
  test("what premultiplied storage loses is still one colour", async () => {
    const strokes = (red: number) => rgba(3, 5, 5, 5, 0, 10, 0, 0, 170, red, 0, 0, 85);
    expect(readMask(strokes(14)).channel).toBe("alpha");
    const { kind, code } = await refusal(() => readMask(strokes(15)));
    expect([kind, code]).toEqual(["picture", "mask_unclear"]);
  });

  test("padding a hole is padding its picture", () => {
    const mask = rgb(
      { height: 2, width: 3 },
      Uint8Array.from({ length: 18 }, (_, at) => at % 7),
    );
    const { hole } = readMask(padded(mask, { height: 9, width: 16 }));
    expect(paddedHole(readMask(mask).hole, { height: 9, width: 16 })).toEqual(hole);
  });

  test("a hole that grows leaves the one it grew from alone", () => {
    const hole = { height: 1, width: 5, flags: Uint8Array.of(0, 0, 1, 0, 0) };
    expect([...grown(hole, 1).flags]).toEqual([0, 1, 1, 1, 0]);
    expect([...hole.flags]).toEqual([0, 0, 1, 0, 0]);
  });
});
