// The manifest in an ONNX file's bytes, without opening it.
//
// Format: onnx.proto of the onnx package, where ModelProto's field 14 are pairs of key and value,
// in the encoding that protobuf.dev describes.

import { LamaEdgeError } from "../errors.js";

const MANIFEST_KEY = "lama_edge";
const METADATA_PROPS = 14;
const KEY = 1;
const VALUE = 2;
const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/**
 * The text of the manifest in the metadata of an ONNX file.
 *
 * Throws a `LamaEdgeError` of kind `model` when this is no whole ONNX file, or carries no manifest.
 */
export function manifestText(bytes: Uint8Array): string {
  let found: string | null = null;
  for (const field of fields(bytes)) {
    if (field.number !== METADATA_PROPS) continue;
    const texts = ["", "", ""];
    for (const { number, bytes: text } of fields(field.bytes)) {
      if (number === KEY || number === VALUE) texts[number] = decoded(text);
    }
    // As in ONNX Runtime, the last one counts where a key comes twice.
    if (texts[KEY] === MANIFEST_KEY) found = texts[VALUE];
  }
  if (found === null) {
    const message =
      "the model carries no lama-edge manifest; export it with: lama-edge export onnx";
    throw new LamaEdgeError("model", message);
  }
  return found;
}

interface Field {
  number: number;
  /** What a field of a length holds; empty for numbers, which nothing here asks for. */
  bytes: Uint8Array;
}

function* fields(message: Uint8Array): Iterable<Field> {
  for (let at = 0; at < message.length; ) {
    const tag = varint(message, at);
    at = tag.end;
    const number = Math.floor(tag.value / 8);
    const type = tag.value % 8;
    let start = at;
    if (type === VARINT) {
      at = varint(message, at).end;
      start = at;
    } else if (type === DELIMITED) {
      const length = varint(message, at);
      start = length.end;
      at = start + length.value;
    } else if (type === FIXED_32 || type === FIXED_64) {
      at += type === FIXED_32 ? 4 : 8;
      start = at;
    } else {
      refuse(`a field of type ${type}`);
    }
    if (number === 0) refuse("a field of number 0");
    if (at > message.length) refuse("a field that ends beyond it");
    yield { number, bytes: message.subarray(start, at) };
  }
}

/** A whole number of 7 bits a byte, the low ones first; those beyond 53 bits are not exact. */
function varint(message: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let at = start; at < Math.min(message.length, start + 10); at++) {
    value += (message[at] & 0x7f) * 2 ** (7 * (at - start));
    if (message[at] < 0x80) return { value, end: at + 1 };
  }
  return refuse("a number that does not end");
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse("a text that is no UTF-8");
  }
}

function refuse(what: string): never {
  const message = `the model is no ONNX file, or damaged (it has ${what}): export or download it again`;
  throw new LamaEdgeError("model", message);
}
