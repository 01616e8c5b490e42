// The server's frames put together again.

import { expect, it } from "vitest";
import { Reader } from "../../../pages/bench/protocol.js";

const frame = (...values: number[]) => Uint8Array.from(values).buffer;

function question(pictures: number): string {
  const sizes = Array.from({ length: pictures }, () => ({ height: 1, width: 1 }));
  const request = { task: "run", pictures: sizes };
  return JSON.stringify({ id: 7, row: null, round: null, request });
}

it("gives a question once its pictures are there, image before mask", () => {
  const reader = new Reader();
  expect(reader.take(question(2))).toBeNull();
  expect(reader.take(frame(1))).toBeNull();
  expect(reader.take(frame(2))).toBeNull();
  expect(reader.take(frame(3))).toBeNull();
  expect(reader.take(frame(4))).toMatchObject({
    id: 7,
    pictures: [
      { image: frame(1), mask: frame(2) },
      { image: frame(3), mask: frame(4) },
    ],
  });
});

it("gives what has no pictures at once", () => {
  const reader = new Reader();
  expect(reader.take(question(0))).toMatchObject({ id: 7, pictures: [] });
  expect(reader.take('{"busy": "another"}')).toEqual({ busy: "another" });
});

it("does not take values that belong to nothing, nor text in the place of values", () => {
  const reader = new Reader();
  expect(() => reader.take(frame(1))).toThrow("nobody asked");
  reader.take(question(1));
  expect(() => reader.take('{"busy": "another"}')).toThrow("missing");
});
