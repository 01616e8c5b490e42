import { expect, test } from "vitest";

test("the tests' page is not cross-origin isolated", () => {
  expect(crossOriginIsolated).toBe(false);
});
