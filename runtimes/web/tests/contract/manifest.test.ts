// Manifests that came to harm, and ONNX files that did.

import { describe, expect, test } from "vitest";
import manifestsText from "../../../../tests/data/vectors/manifests.json?raw";
import onnxData from "../../../../tests/data/written-by-0.1.0/w8-64x72.onnx?url&inline";
import { factsOf, readManifest } from "../../src/contract/manifest.js";
import { manifestText } from "../../src/contract/onnx_metadata.js";
import { runBytesPerPixel } from "../../src/contract/strategies.js";
import { LamaEdgeError } from "../../src/errors.js";
import { listsIn } from "./shared_vectors.js";

const texts = listsIn<{ manifests: { json: string }[] }>(manifestsText).manifests;
const whole = texts[0].json;

/** What is said of a model that is refused. */
function said(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(LamaEdgeError);
    const { kind, message } = error as LamaEdgeError;
    expect(kind).toBe("model");
    expect(message).not.toMatch(/[\p{Cc}\u2028-\u202e]/u);
    return message;
  }
  return "nothing";
}

describe("manifests", () => {
  test.each([
    ['"multiple":8', '"multiple":0', "size.multiple: is 0: must be from 1 to 1056"],
    ['"multiple":8', '"multiple":8.5', "size.multiple: is 8.5 instead of a whole number"],
    ['"multiple":8', '"multiple":"ei\\nght"', "size.multiple: is 'ei ght' instead of a number"],
    ['"min_size":16', '"min_size":16,"max_side":20', "size.max_side: is 20: must be a multiple"],
    ['"fixed":null', '"fixed":[8,-8]', "size.fixed: is -8: must be from 1 to 16384"],
    ['"fixed":null', '"fixed":[8]', "size.fixed: has 1 sides instead of 2"],
    ['"parameters"', '"parametres"', "source: parameters is missing"],
    ['"form":"uint8"', '"form":"bytes"', "unknown io form 'bytes'"],
    ['"form":"uint8"', '"form":"by\\ntes"', "unknown io form 'by tes'"],
    ['"form":"uint8"', '"form":["float"]', "unknown io form a list"],
    ['"schema_version":1', '"schema_version":7', "schema_version 7; this release reads 1"],
    ['"ngf":64', '"ngf":64e3', "source.architecture.ngf: is 64000"],
    ['"ngf":64', '"ngf":{}', "source.architecture: ngf is an object"],
    ['"tools":{}', '"tools":{"a":1}', "tools.a: is 1 instead of a text"],
    ['"tools":{}', '"tools":{"a":"\\ud800"}', "tools.a: is"],
    ['"tools":{}', '"tools":"__proto__"', "tools: is '__proto__' instead of an object"],
    ['"composite":true', '"composite":1', "io.composite: is 1 instead of true or false"],
    ['"composite":true', '"composite":true,"batch":257', "io.batch: is 257: must be from 1"],
    ['"max_abs_diff":3e-06', '"max_abs_diff":1e999', "parity.max_abs_diff: is Infinity"],
    ['"sizes":["64x96"]', '"sizes":[64]', "parity.sizes: is 64 instead of a text"],
    ['"dft":"matmul"', '"dft":"matmul","engine":{}', "engine: belongs to a TensorRT engine"],
  ])("%s as %s", (good, bad, hint) => {
    expect(whole).toContain(good);
    expect(said(() => readManifest(whole.replace(good, bad)))).toContain(hint);
  });

  test("what is no JSON object is refused", () => {
    const bad = ["", " ", "{", "[]", "null", "NaN", '"\u2028"', "{'a':1}", "[".repeat(1e5)];
    const nested = `${"[".repeat(1e5)}${"]".repeat(1e5)}`;
    for (const text of [...bad, nested, " ".repeat(2 ** 24 + 1)]) {
      expect(said(() => readManifest(text))).toContain("the model's manifest cannot be read");
    }
  });

  test("names that every object has are names like others", () => {
    const named = whole.replace('"tools":{}', '"tools":{"__proto__":"1","constructor":"2"}');
    expect(Object.entries(readManifest(named).tools)).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
    expect(said(() => readManifest(whole.replace('"precision"', '"precise"')))).toContain(
      "precision is missing",
    );
    const without = { ...JSON.parse(whole) };
    delete without.precision;
    const inherited = JSON.stringify(without).replace("{", '{"__proto__":{"precision":"fp32"},');
    expect(said(() => readManifest(inherited))).toContain("precision is missing");
  });

  test("plain values keep their kind", () => {
    const { format, numerics, source } = readManifest(texts[1].json);
    expect(format.version).toBe(8);
    expect([numerics?.guard, numerics?.calibration]).toEqual([0.5, "seeded"]);
    expect(source.architecture.n_blocks).toBeNull();
  });

  test("the form of the graph and its features say what a run takes", () => {
    expect(factsOf(readManifest(whole)).bytesPerPixel).toBe(runBytesPerPixel(64, false));
    const bands = whole
      .replace('{"name":', '{"kernels":"bands","name":')
      .replace('"ngf":64', '"ngf":8');
    expect(factsOf(readManifest(bands)).bytesPerPixel).toBe(48 + 12 * 8);
  });
});

describe("ONNX files", async () => {
  const onnx = new Uint8Array(await (await fetch(onnxData)).arrayBuffer());
  const { length } = onnx;
  const message = (number: number, body: Uint8Array | number[]) => [
    (number << 3) | 2,
    (body.length & 0x7f) | 0x80,
    body.length >> 7,
    ...body,
  ];
  const text = (value: string) => [...new TextEncoder().encode(value)];
  const pair = (key: number[], value: number[]) =>
    message(14, [...message(1, key), ...message(2, value)]);
  const file = (...parts: number[][]) => Uint8Array.from(parts.flat());

  test("a manifest is found, and is the one that was written", () => {
    const { precision, size } = readManifest(manifestText(onnx));
    expect([precision, size.fixed]).toEqual(["w8", { height: 64, width: 72 }]);
  });

  test("numbers, other fields and other metadata are passed over, the last of a key counts", () => {
    const others = file(
      [0x08, 0x89, 0x01],
      [0x15, 1, 2, 3, 4],
      [0x19, 1, 2, 3, 4, 5, 6, 7, 8],
      pair(text("author"), text("é")),
      pair(text("lama_edge"), text("first")),
      [0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01],
      pair(text("lama_edge"), text("{ß}")),
      pair(text("lama"), text("edge")),
    );
    expect(manifestText(others)).toBe("{ß}");
    expect(manifestText(Uint8Array.from([9, ...others, 9]).subarray(1, -1))).toBe("{ß}");
  });

  test.each([
    ["nothing", file(), "carries no lama-edge manifest"],
    ["another's", file(pair(text("author"), text("me"))), "carries no lama-edge manifest"],
    ["HTML", Uint8Array.from(text("<!doctype html>")), "a field of type 4"],
    ["a field of no number", file([0x02, 0]), "a field of number 0"],
    ["a length beyond the end", file([0x72, 5, 1]), "a field that ends beyond it"],
    ["a length beyond 32 bits", file([0x72, 255, 255, 255, 255, 255, 255, 127]), "ends beyond it"],
    ["a number without an end", file([0x08, ...Array(11).fill(0x80)]), "does not end"],
    ["a number cut short", file([0x08, 0x80]), "does not end"],
    ["fixed numbers cut short", file([0x15, 1, 2, 3]), "a field that ends beyond it"],
    ["a key beyond its pair", file(message(14, [0x0a, 9, 1])), "a field that ends beyond it"],
    ["a text that is none", file(pair([0xff], text("x"))), "a text that is no UTF-8"],
    ["an overlong text", file(pair(text("lama_edge"), [0xc0, 0xaf])), "a text that is no UTF-8"],
  ])("%s", (_, bytes, hint) => {
    expect(said(() => manifestText(bytes))).toContain(hint);
  });

  test("what is cut off anywhere has no manifest, or is damaged", () => {
    for (let end = 0; end < length; end += 1 + Math.floor((length - end) / 50)) {
      const hint = said(() => readManifest(manifestText(onnx.subarray(0, end))));
      expect(hint).toMatch(/carries no lama-edge manifest|no ONNX file, or damaged/);
    }
  });

  test("whatever single byte near the metadata changes, it is read or refused", () => {
    const start = length - 3000;
    for (let at = start; at < length; at += 7) {
      const damaged = onnx.slice();
      damaged[at] ^= 1 << (at % 8);
      said(() => readManifest(manifestText(damaged)));
    }
  });
});
