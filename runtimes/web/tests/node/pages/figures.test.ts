// Figures as the reports spell them, and colours as they have them.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { count, digits, duration, fileSize, memory } from "../../../pages/shared/figures.js";

const plain = (text: string) => text.replaceAll("\u00a0", " ").replaceAll("\u202f", " ");

it.each([
  [0.204, "204 µs"],
  [0.9996, "1.00 ms"],
  [41.26, "41.3 ms"],
  [999.6, "1.00 s"],
  [60_200, "60.2 s"],
  [599_000, "599 s"],
  [599_900, "10.0 min"],
  [0, "0 µs"],
  [null, "–"],
])("spells %s ms as %s", (ms, text) => {
  expect(plain(duration(ms))).toBe(text);
});

it("spells memory by powers of two and files by powers of ten", () => {
  expect(plain(memory(412 * 2 ** 20))).toBe("412 MiB");
  expect(plain(memory(1.6 * 2 ** 30))).toBe("1.60 GiB");
  expect(plain(fileSize(204_300_000))).toBe("204 MB");
  expect(plain(fileSize(12))).toBe("12.0 B");
  expect(memory(null)).toBe("–");
});

it("groups digits and counts things", () => {
  expect(plain(digits(1_234_567))).toBe("1 234 567");
  expect(digits(0.0123456)).toBe("0.0123");
  expect(plain(count(1, "round"))).toBe("1 round");
  expect(plain(count(3, "round"))).toBe("3 rounds");
});

it("has the reports' colours, in light and in dark", () => {
  const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8");
  // The first block is the light one, the second the dark one.
  const blocks = (css: string) =>
    [...css.matchAll(/:root \{([^}]*)\}/g)].map(
      ([, block = ""]) =>
        new Map([...block.matchAll(/(--[\w-]+): (#\w+);/g)].map(([, a, b]) => [a, b])),
    );
  const ours = blocks(read("../../../pages/shared/look.css"));
  const theirs = blocks(read("../../../../../benchmarks/reports/templates/page.css"));
  expect(ours).toHaveLength(2);
  for (const [scheme, colours] of ours.entries()) {
    const shared = [...colours].filter(([name]) => theirs[scheme]?.has(name));
    expect(shared).toHaveLength(13);
    for (const [name, value] of shared) expect(theirs[scheme]?.get(name)).toBe(value);
  }
});
