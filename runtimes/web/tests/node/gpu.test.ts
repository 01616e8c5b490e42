import { expect, test } from "vitest";
import { GpuWatch } from "../../src/model/gpu.js";

test("what a GPU reports is told in its own words, and nothing it computed is taken", () => {
  const device = Object.assign(new EventTarget(), { lost: new Promise(() => {}) });
  const watch = new GpuWatch(device as unknown as GPUDevice);
  watch.check();
  // A browser's GPUError is no Error.
  const error = { message: "the buffer\nis too small" };
  device.dispatchEvent(Object.assign(new Event("uncapturederror"), { error }));
  expect(() => watch.check()).toThrow(/reported an error \(the buffer is too small\)/);
});
