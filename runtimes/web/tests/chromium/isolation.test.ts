import { expect, test } from "vitest";

test("the tests' page is cross-origin isolated", () => {
  expect(crossOriginIsolated).toBe(true);
});
