// How a mask is read: which of its channels counts, and what becomes of the hole.

import { LamaEdgeError } from "../errors.js";
import type { MaskChannel, MaskRules, Pixels } from "../types.js";
import { grown, type Hole } from "./hole.js";
import { checkPixels, luma } from "./pixels.js";
import { type Bytes, room } from "./rows.js";

/** What of a mask counted. */
type Counted = Exclude<MaskChannel, "auto">;

/** A mask that was read. */
export interface ReadMask {
  hole: Hole;
  channel: Counted;
  /** Whether more than 90 % was hole before it grew: the mask may be the wrong way round. */
  mostlyHole: boolean;
}

const CHANNELS: readonly string[] = ["auto", "grey", "alpha", "red", "green", "blue"];

/**
 * Finds a mask's hole: the pixels whose value is above 0.
 *
 * Throws a `LamaEdgeError` of kind `picture` when the mask is no picture, has not the alpha that
 * was asked for, or does not tell whether colours or alpha count; of kind `usage` when there is no
 * such channel, or the mask shall grow by less than 0 or more than 1024.
 */
export function readMask(mask: Pixels, rules: MaskRules = {}): ReadMask {
  checkPixels(mask, "mask");
  const channel = channelThatCounts(mask, rules.channel ?? "auto");
  const flags = above0(mask, channel);
  if (rules.invert) {
    for (let at = 0; at < flags.length; at++) flags[at] ^= 1;
  }
  let known = 0;
  for (let at = 0; at < flags.length; at++) known += 1 - flags[at];
  const hole = { height: mask.height, width: mask.width, flags };
  const mostlyHole = known * 10 < flags.length;
  return { hole: grown(hole, rules.grow ?? 0), channel, mostlyHole };
}

function channelThatCounts(mask: Pixels, asked: string): Counted {
  if (!CHANNELS.includes(asked)) {
    const message = `there is no mask channel '${asked}': give one of ${CHANNELS.join(", ")}`;
    throw new LamaEdgeError("usage", message);
  }
  if (asked === "alpha") {
    if (mask.channels === 4) return "alpha";
    const seen = `the mask has no alpha (it is ${mask.channels === 1 ? "grey" : "rgb"})`;
    throw new LamaEdgeError("picture", `${seen}: leave the channel to auto`, "mask_without_alpha");
  }
  if (asked === "auto") return mask.channels === 4 ? channelWithTheShape(mask) : "grey";
  return mask.channels === 1 ? "grey" : (asked as Counted);
}

function channelWithTheShape(mask: Pixels): Counted {
  const inAlpha = above0(mask, "alpha");
  const inGrey = above0(mask, "grey");
  if (inGrey.every((flag, at) => flag === inAlpha[at]) || isOpaque(mask)) return "grey";
  if (hasShape(inAlpha)) {
    if (hasOneColour(mask)) return "alpha";
  } else if (hasShape(inGrey)) {
    return "grey";
  }
  const message =
    "the mask's colours mark other pixels than its alpha: say which is the hole, channel grey or " +
    "alpha";
  throw new LamaEdgeError("picture", message, "mask_unclear");
}

/** A flag for each pixel: whether its value is above 0. */
function above0(mask: Pixels, channel: Counted): Bytes {
  const { data, channels } = mask;
  const flags = room(mask, 1);
  if (channel === "grey" && channels !== 1) {
    for (let at = 0, from = 0; at < flags.length; at++, from += channels) {
      flags[at] = Number(luma(data, from) > 0);
    }
    return flags;
  }
  const place = { grey: 0, red: 0, green: 1, blue: 2, alpha: 3 }[channel];
  for (let at = 0, from = place; at < flags.length; at++, from += channels) {
    flags[at] = Number(data[from] > 0);
  }
  return flags;
}

function hasShape(flags: Bytes): boolean {
  return flags.includes(0) && flags.includes(1);
}

function isOpaque({ data }: Pixels): boolean {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] !== 255) return false;
  }
  return true;
}

/**
 * Whether all visible pixels have the colour of the first of the most opaque ones.
 *
 * What was stored premultiplied may be off by 255 / alpha + 1.
 */
function hasOneColour({ data }: Pixels): boolean {
  let most = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > data[most + 3]) most = at;
  }
  for (let at = 0; at < data.length; at += 4) {
    const opacity = data[at + 3];
    const allowed = opacity < 255 ? opacity + 255 : 0;
    for (let colour = 0; colour < 3; colour++) {
      if (Math.abs(data[at + colour] - data[most + colour]) * opacity > allowed) return false;
    }
  }
  return true;
}
