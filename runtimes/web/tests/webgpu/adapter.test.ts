import { expect, test } from "vitest";

test("there is an adapter", async () => {
  expect(await navigator.gpu.requestAdapter()).not.toBeNull();
});
