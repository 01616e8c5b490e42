// The whole contract: window, shrink, pad, run the model, crop, composite, enlarge, composite.

import { LamaEdgeError } from "../errors.js";
import type { MaskRules, Pixels, Report, Size } from "../types.js";
import { type Box, boxOf, within } from "./boxes.js";
import { imageValues, maskValues, pictureOf } from "./forms.js";
import { croppedHole, type Hole, paddedHole, shrunkHole, united, without } from "./hole.js";
import { factsOf, type Manifest } from "./manifest.js";
import { readMask } from "./masks.js";
import { checkPixels, croppedRgb, padded, paste, type Rgb, rgbOf, transparent } from "./pixels.js";
import { enlarged, shrunk } from "./resampling.js";
import { sameSize, spelledPicture } from "./sizes.js";
import { type Plan, type PlanOptions, plan } from "./strategies.js";
import { Working } from "./windows.js";

/** What the contract wants of a model. */
export interface ContractModel {
  manifest: Manifest;
  /**
   * Runs one picture of a size that the manifest accepts, in the model's own form: float32, planar,
   * 0 to 1; or bytes, interleaved. The mask is 0 and 1, or 0 and 255. The result has 3 values for
   * each pixel; what it holds outside the hole does not matter.
   */
  run(
    image: Float32Array | Uint8Array,
    mask: Float32Array | Uint8Array,
    height: number,
    width: number,
  ): Promise<Float32Array | Uint8Array>;
}

/** What is asked of one picture. */
export interface ContractOptions extends PlanOptions {
  mask?: MaskRules | undefined;
  /** Asked before each run of the model. */
  signal?: AbortSignal | undefined;
}

/**
 * Fills the hole of a picture of any size.
 *
 * Returns a picture of the same size and channels, in memory of its own. Pixels outside the hole,
 * fully transparent ones and all of alpha are bit-identical. The model takes fully transparent
 * pixels for hole, so that their colour does not bleed into the fill. It is not run when there is
 * no hole.
 *
 * Throws a `LamaEdgeError` of kind `picture` when picture or mask cannot be used or the sizes
 * differ, `usage` when an option cannot be used, `model` when the model's output is not finite or
 * does not fit its contract, `cancelled`; and what the model throws.
 */
export async function inpaintPixels(
  picture: Pixels,
  mask: Pixels,
  model: ContractModel,
  options: ContractOptions = {},
): Promise<{ pixels: Pixels; report: Report }> {
  checkPixels(picture, "picture");
  const { hole, channel, mostlyHole } = readMask(mask, options.mask);
  const { pixels, chosen } = await fillHole(picture, hole, model, options);
  const { strategy, code, reason, warning } = chosen.choice;
  const found = { maskChannel: channel, mostlyHole, runs: chosen.windows.length };
  return { pixels, report: { strategy, code, reason, warning, ...found } };
}

/** As `inpaintPixels`, of a hole; says with which windows that was done. */
export async function fillHole(
  picture: Pixels,
  hole: Hole,
  model: ContractModel,
  options: ContractOptions = {},
): Promise<{ pixels: Pixels; chosen: Plan }> {
  if (!sameSize(picture, hole)) {
    const seen = `the mask is ${spelledPicture(hole)} and the picture ${spelledPicture(picture)}`;
    throw new LamaEdgeError("picture", `${seen}: give a mask of the picture's size`);
  }
  const clear = transparent(picture);
  const wanted = clear === null ? hole : without(hole, clear);
  const seen = clear === null ? hole : united(hole, clear);
  const chosen = plan(wanted, factsOf(model.manifest), options);
  const pixels = { ...picture, data: picture.data.slice() };
  for (const { view, hole: box } of chosen.windows) {
    if (options.signal?.aborted) throw new LamaEdgeError("cancelled", "the work was cancelled");
    const { maxSide } = chosen.working;
    const part = within(box, view);
    const known = rgbOf(picture, view);
    const fill = await fillWindow(model, known, croppedHole(seen, view), part, maxSide);
    paste(pixels, fill, box, wanted, box);
  }
  return { pixels, chosen };
}

/**
 * Fills the hole of one window, of any size, in one run of the model.
 *
 * The model gets the window padded to a size it takes: a fixed-size one to its size. A window that
 * is larger than that, or than `maxSide`, is shrunk first, and interpolated back up when it is
 * filled.
 *
 * @param hole of the window's size.
 * @param part what of the window is wanted.
 * @param maxSide largest side that a dynamic model is given, in pixels; null is any.
 * @returns RGB of the part, to be used inside the hole only.
 */
async function fillWindow(
  model: ContractModel,
  known: Rgb,
  hole: Hole,
  part: Box,
  maxSide: number | null,
): Promise<Rgb> {
  const working = new Working(model.manifest.size, maxSide);
  const seen = working.seen(known);
  const small = working.shrunk(known);
  if (sameSize(small, known)) return croppedRgb(await filled(model, known, hole, seen), part);
  const smallKnown = shrunk(known, small);
  const smallHole = shrunkHole(hole, small);
  const fill = await filled(model, smallKnown, smallHole, seen);
  // A raw fill is composited too: enlarging then blends the hole's rim with the real picture.
  paste(smallKnown, fill, boxOf(seen), smallHole, boxOf(small));
  return enlarged(smallKnown, known, part);
}

/** The fill of a picture that the model takes when it is padded to `size`, padding included. */
async function filled(model: ContractModel, known: Rgb, hole: Hole, size: Size): Promise<Rgb> {
  const { form } = model.manifest.io;
  const fits = sameSize(known, size);
  const image = imageValues(form, fits ? known : padded(known, size));
  const mask = maskValues(form, fits ? hole : paddedHole(hole, size));
  return pictureOf(form, await model.run(image, mask, size.height, size.width), size);
}
