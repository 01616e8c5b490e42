import { expect, test } from "vitest";
import { Inpainter } from "../../src/index.js";
import { changed, drawnMask, drawnPicture } from "../pictures.js";

const hasCases = (await fetch("/cases/cases.json")).headers.get("Content-Type") !== "text/html";

test.skipIf(!hasCases)(
  "without isolation one thread works, and the note says what to do",
  async () => {
    expect(crossOriginIsolated).toBe(false);
    const inpainter = await Inpainter.open("/cases/tiny.onnx", {
      ort: "/ort/",
      provider: "wasm",
      threads: 2,
    });
    expect(inpainter.info.threads).toBe(1);
    expect(inpainter.info.notes[0]).toContain("Cross-Origin-Embedder-Policy: require-corp");
    const [picture, mask] = [drawnPicture(64, 64), drawnMask(64, 64)];
    const { pixels } = await inpainter.inpaint(picture, mask);
    const { outside, inside } = changed(picture, pixels, mask);
    expect(outside).toBe(0);
    expect(inside).toBeGreaterThan(1000);
    await inpainter.close();
  },
);
