import { expect, test } from "vitest";
import { LamaEdgeError, oneLine } from "../../src/errors.js";

test("an error has its kind, its code and one line", () => {
  const error = new LamaEdgeError("picture", "no pixels", "mask_unclear");
  expect(error).toBeInstanceOf(Error);
  expect([error.kind, error.code, error.message]).toEqual(["picture", "mask_unclear", "no pixels"]);
  expect(oneLine(new Error("first\n  second "))).toBe("first second");
});
