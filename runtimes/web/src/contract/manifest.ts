// The manifest that every exported model carries: what it is, takes, gives and was measured at.

import { LamaEdgeError, oneLine } from "../errors.js";
import type { Size } from "../types.js";
import { Field, type PlainValues, Problem, shown } from "./fields.js";
import type { IoSpec, SizePolicy } from "./sizes.js";
import { type ModelFacts, runBytesPerPixel } from "./strategies.js";

const SCHEMA_VERSION = 1;
// Far above what an export writes, and below what arithmetic with them could be harmed by: a file
// may come from a stranger. Python's manifest.py and spec.py have the same.
const MOST_CHARACTERS = 2 ** 24;
const LARGEST_MIN_SIZE = 1056;
const LARGEST_SIDE = 16384;
const LARGEST_BATCH = 256;
const MOST_OPSET = 2 ** 10;
const MOST_PARAMETERS = 2 ** 40;
const MOST_HYPERPARAMETER = 2 ** 12;
const MOST_DECIBELS = 1e4;
const MOST_DIFFERENCE = 1e38;
// big-lama's, should a manifest not say.
const DEFAULT_FEATURES = 64;

/** Where a model's weights come from. */
export interface Source {
  /** Hash of the checkpoint file, in hexadecimal. */
  sha256: string;
  /** The generator's configuration, `kind` included. */
  architecture: PlainValues;
  /** Number of trained parameters. */
  parameters: number;
}

/** How far a model's results are from the reference, inside the hole. */
export interface ParityFigures {
  /** What it was compared with, for example `numpy-fp32`, and what ran the model. */
  reference: string;
  runtime: string;
  /** The sizes judged, as height x width. */
  sizes: readonly string[];
  /** Largest absolute difference, and the largest allowed, on the 0-to-1 scale. */
  maxAbsDiff: number;
  tolerance: number;
  /**
   * The worst picture's peak signal-to-noise ratio with peak 1, and its signal-to-noise ratio
   * against the reference's variance, in dB; null when the results are equal.
   */
  psnrDb: number | null;
  snrDb: number | null;
  /** The smallest PSNR allowed; null where the difference alone is judged. */
  leastPsnrDb: number | null;
  /** Whether the model was kept although it was out of tolerance. */
  forced: boolean;
}

/** A model's self-description, written by the exporter into the model's metadata. */
export interface Manifest {
  /** The file format and its version, such as `name`: `onnx`, and what it is `for`. */
  format: PlainValues;
  io: IoSpec;
  /** The number of pictures that every run takes; null where it is free. */
  batch: number | null;
  size: SizePolicy;
  /** `fp32` and so on. */
  precision: string;
  /** Form of the Fourier transform in the graph; null where the runtime has its own FFT. */
  dft: string | null;
  source: Source;
  /** Versions of the packages that made the file. */
  tools: Readonly<Record<string, string>>;
  /** Figures measured at export; null when that was skipped. */
  parity: ParityFigures | null;
  /** How a precision other than fp32 was made; null for fp32. */
  numerics: PlainValues | null;
}

/**
 * Reads a manifest.
 *
 * Throws a `LamaEdgeError` of kind `model`: `manifest_version` for one that this release does not
 * know, `manifest_form` for an unknown form of input and output, else `manifest_unreadable`.
 */
export function readManifest(json: string): Manifest {
  try {
    if (json.length > MOST_CHARACTERS) throw new Problem("it has more than 16 Mi characters");
    return manifestOf(new Field(JSON.parse(json)));
  } catch (error) {
    if (error instanceof LamaEdgeError) throw error;
    const message = `the model's manifest cannot be read (${oneLine(error)}); export the model again`;
    throw new LamaEdgeError("model", message, "manifest_unreadable");
  }
}

/** Whether the largest difference and the PSNR are within what is allowed. */
export function hasPassed({ maxAbsDiff, tolerance, psnrDb, leastPsnrDb }: ParityFigures): boolean {
  if (maxAbsDiff > tolerance) return false;
  return leastPsnrDb === null || psnrDb === null || psnrDb >= leastPsnrDb;
}

/** Whether the graph's convolutions run in bands, which suits processors. */
export function isInBands({ format }: Manifest): boolean {
  // Files of release 0.1.0 call bands by the form of the convolutions in them.
  if (format.kernels !== undefined) return format.kernels === "bands";
  return format.convolutions === "winograd";
}

/** What the choice of windows goes by. */
export function factsOf(manifest: Manifest): ModelFacts {
  const { ngf } = manifest.source.architecture;
  const features = Number.isInteger(ngf) ? Number(ngf) : DEFAULT_FEATURES;
  return { size: manifest.size, bytesPerPixel: runBytesPerPixel(features, isInBands(manifest)) };
}

function manifestOf(whole: Field): Manifest {
  const version = whole.at("schema_version").value;
  if (version !== SCHEMA_VERSION) {
    const seen = `the model's manifest has schema_version ${shown(version)}`;
    throw new LamaEdgeError(
      "model",
      `${seen}; this release reads ${SCHEMA_VERSION}: export the model again or update lama-edge`,
      "manifest_version",
    );
  }
  const format = whole.at("format");
  const io = whole.at("io");
  if (whole.set("engine") !== null) {
    whole.at("engine").refuse("belongs to a TensorRT engine, whose sizes are others");
  }
  return {
    format: formatOf(format),
    io: ioOf(io),
    batch: io.set("batch")?.integer(1, LARGEST_BATCH) ?? null,
    size: sizeOf(whole.at("size"), format),
    precision: whole.at("precision").text(),
    dft: whole.nullable("dft")?.text() ?? null,
    source: sourceOf(whole.at("source")),
    tools: toolsOf(whole.at("tools")),
    parity: parityOf(whole.nullable("parity")),
    numerics: whole.set("numerics")?.plain() ?? null,
  };
}

function formatOf(format: Field): PlainValues {
  format.at("name").text();
  format.find("opset")?.integer(1, MOST_OPSET);
  const { max_side: _, ...about } = format.plain();
  return about;
}

function ioOf(io: Field): IoSpec {
  const form = io.at("form").value;
  if (form !== "float" && form !== "uint8" && form !== "image") {
    const message = `the model's manifest names an unknown io form ${shown(form)}`;
    throw new LamaEdgeError("model", message, "manifest_form");
  }
  return { form, composite: io.at("composite").flag() };
}

/** Packages that 0.1.0 wrote have the largest side in their format. */
function sizeOf(size: Field, format: Field): SizePolicy {
  const fixed = size.nullable("fixed");
  const multiple = size.at("multiple").integer(1, LARGEST_MIN_SIZE);
  const minSize = size.at("min_size").integer(1, LARGEST_MIN_SIZE);
  const most = size.find("max_side") ?? format.find("max_side");
  const maxSide = most === null || most.value === null ? null : most.integer(minSize, LARGEST_SIDE);
  if (maxSide !== null && maxSide % multiple !== 0) {
    most?.refuse(`is ${maxSide}: must be a multiple of ${multiple}`);
  }
  return { fixed: fixed === null ? null : fixedOf(fixed), multiple, minSize, maxSide };
}

function fixedOf(fixed: Field): Size {
  const sides = fixed.items();
  if (sides.length !== 2) fixed.refuse(`has ${sides.length} sides instead of 2`);
  const [height, width] = sides.map((side) => new Field(side, fixed.path).integer(1, LARGEST_SIDE));
  return { height, width };
}

function sourceOf(source: Field): Source {
  source.find("ignored")?.items();
  const architecture = source.at("architecture");
  for (const [name, value] of architecture.members()) {
    if (typeof value === "number") architecture.at(name).number(0, MOST_HYPERPARAMETER);
  }
  return {
    sha256: source.at("sha256").text(),
    architecture: architecture.plain(),
    parameters: source.at("parameters").integer(0, MOST_PARAMETERS),
  };
}

function toolsOf(tools: Field): Record<string, string> {
  return Object.fromEntries(tools.members().map(([name]) => [name, tools.at(name).text()]));
}

function parityOf(parity: Field | null): ParityFigures | null {
  if (parity === null) return null;
  const difference = (name: string) => parity.at(name).number(0, MOST_DIFFERENCE);
  const decibels = (field: Field | null) => field?.number(-MOST_DECIBELS, MOST_DECIBELS) ?? null;
  return {
    reference: parity.at("reference").text(),
    runtime: parity.at("runtime").text(),
    sizes: parity
      .at("sizes")
      .items()
      .map((size) => new Field(size, "parity.sizes").text()),
    maxAbsDiff: difference("max_abs_diff"),
    tolerance: difference("tolerance"),
    psnrDb: decibels(parity.nullable("psnr_db")),
    snrDb: decibels(parity.nullable("snr_db")),
    leastPsnrDb: decibels(parity.set("least_psnr_db")),
    forced: parity.find("forced")?.flag() ?? false,
  };
}
