// Erases a disc where the picture is clicked. In public/: a model as model.onnx, and ort/, which
// `npm install` copies.

import { type Inpainted, Inpainter, LamaEdgeError } from "lama-edge";

const RADIUS = 12;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const file = element<HTMLInputElement>("file");
const canvas = element<HTMLCanvasElement>("canvas");
const save = element<HTMLButtonElement>("save");
const context = canvas.getContext("2d") as CanvasRenderingContext2D;
let picture: Blob | Inpainted["pixels"] | null = null;
let erased: Inpainted | null = null;

function say(line: string): void {
  element("state").textContent = line;
}

/** Does something, and says what went wrong. */
async function tried(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    say(error instanceof LamaEdgeError ? error.message : `failed: ${error}`);
  }
}

function disc(x: number, y: number): OffscreenCanvas {
  const mask = new OffscreenCanvas(canvas.width, canvas.height);
  const brush = mask.getContext("2d") as OffscreenCanvasRenderingContext2D;
  brush.arc(x, y, RADIUS, 0, 2 * Math.PI);
  brush.fill();
  return mask;
}

file.addEventListener("change", () =>
  tried(async () => {
    picture = file.files?.[0] ?? null;
    if (!picture) return;
    const shown = await createImageBitmap(picture);
    [canvas.width, canvas.height] = [shown.width, shown.height];
    context.drawImage(shown, 0, 0);
    say("Click on what shall go");
  }),
);

save.addEventListener("click", () =>
  tried(async () => {
    if (!erased) return;
    const link = document.createElement("a");
    link.download = "erased.png";
    link.href = URL.createObjectURL(await erased.toBlob());
    link.click();
  }),
);

tried(async () => {
  const inpainter = await Inpainter.open(new URL("model.onnx", document.baseURI), {
    ort: new URL("ort/", document.baseURI),
    onNote: (line) => console.info(line),
  });
  say(`Ready, with ${inpainter.info.provider}`);
  file.disabled = false;

  canvas.addEventListener("click", ({ offsetX, offsetY }) =>
    tried(async () => {
      if (!picture) return;
      say("Erasing");
      // The next click goes on from what this one gave, which is exact; the canvas only shows it.
      erased = await inpainter.inpaint(picture, disc(offsetX, offsetY));
      picture = erased.pixels;
      context.putImageData(erased.toImageData(), 0, 0);
      save.disabled = false;
      say(`Erased (${erased.report.strategy})`);
    }),
  );
});
