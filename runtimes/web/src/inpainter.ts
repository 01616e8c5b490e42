// The public class over the worker.

import { absolute } from "./addresses.js";
import { LamaEdgeError } from "./errors.js";
import { encodePng, toPixels, toRgba } from "./images/images.js";
import { type ModelFile, modelFile } from "./opening/model_file.js";
import type {
  Inpainted,
  InpaintOptions,
  ModelInfo,
  ModelSource,
  OpenOptions,
  PictureSource,
  Pixels,
  Provider,
  Report,
} from "./types.js";
import { Connection } from "./worker/connection.js";
import type { Filled, Opened, Opening } from "./worker/messages.js";

// A constant, so that bundlers do not look for it: they cannot bundle a folder.
const ORT_BESIDE_THIS_PACKAGE = "../../onnxruntime-web/dist/";
const CHOICES: Record<string, readonly Provider[]> = {
  auto: ["webgpu", "wasm"],
  webgpu: ["webgpu"],
  wasm: ["wasm"],
};

interface Running {
  connection: Connection;
  opened: Opened;
}

/**
 * An open model that fills the hole of pictures of any size.
 *
 * It works in a worker of its own, one picture after the other. With the provider `auto`, work that
 * fails on WebGPU is done again in WebAssembly, which then stays.
 */
export class Inpainter {
  private readonly notes: string[] = [];
  private running: Promise<Running>;
  private opened!: Opened;
  private closed = false;

  private constructor(
    private readonly file: ModelFile,
    private readonly options: OpenOptions,
    private providers: readonly Provider[],
    notes: readonly string[],
  ) {
    this.notes.push(...notes);
    this.running = this.started(options.signal);
  }

  /**
   * Opens an ONNX file that carries a manifest of lama-edge.
   *
   * Throws a `LamaEdgeError` of kind `model` when it cannot be had or opened, carries no manifest or
   * is not what that says; `missing` when ONNX Runtime Web, or a provider asked for by its name, is
   * not there or memory ends; `usage` when an option cannot be used; `cancelled`.
   */
  static async open(model: ModelSource, options: OpenOptions = {}): Promise<Inpainter> {
    const { provider = "auto", signal, onNote } = options;
    const providers = CHOICES[provider];
    if (!providers) {
      const message = `the provider '${provider}' is not known: give auto, webgpu or wasm`;
      throw new LamaEdgeError("usage", message);
    }
    const notes: string[] = [];
    const file = await modelFile(model, options, (line) => {
      notes.push(line);
      onNote?.(line);
    });
    if (signal?.aborted) throw new LamaEdgeError("cancelled", "opening the model was cancelled");
    const inpainter = new Inpainter(file, options, providers, notes);
    await inpainter.running;
    return inpainter;
  }

  /** What the open model says of itself. */
  get info(): ModelInfo {
    return { ...this.opened, notes: [...this.notes], sha256: this.file.sha256 };
  }

  /**
   * Fills the hole of a picture.
   *
   * picture: of any size.
   * mask: of the same size, read as `options.mask` says.
   * In the result pixels outside the hole, fully transparent ones and all of alpha have the
   * picture's very bytes. The model takes fully transparent pixels for hole, so that their colour
   * does not bleed into the fill.
   *
   * Throws a `LamaEdgeError` of kind `picture` when picture or mask cannot be used or the sizes
   * differ, `usage` when an option cannot be used, `model` when the model fails or its output is not
   * finite, `missing` when memory ends or a GPU asked for by its name is lost, `cancelled`.
   */
  async inpaint(
    picture: PictureSource,
    mask: PictureSource,
    options: InpaintOptions = {},
  ): Promise<Inpainted> {
    const { signal, ...asked } = options;
    // A mask's levels below the upper 8 bits mean nothing to anybody.
    const seen = await toPixels(picture, (line) => this.note(line));
    const hole = await toPixels(mask);
    for (;;) {
      const running = await this.running;
      try {
        const work = { picture: copied(seen), mask: copied(hole), options: asked };
        const filled = await running.connection.inpaint(work, signal);
        return inpainted(filled, running.opened.provider);
      } catch (thrown) {
        if (!(await this.startedAgain(running, thrown as LamaEdgeError))) throw thrown;
      }
    }
  }

  /** Ends the worker; work in progress is given up. */
  async close(): Promise<void> {
    this.closed = true;
    const why = new LamaEdgeError("usage", "the inpainter was closed: open the model again");
    await this.running.then(({ connection }) => connection.end(why)).catch(() => {});
  }

  private note(line: string): void {
    if (this.notes.includes(line)) return;
    this.notes.push(line);
    this.options.onNote?.(line);
  }

  /** Opens the model with the first provider that takes it. */
  private async started(signal?: AbortSignal): Promise<Running> {
    for (const provider of this.providers) {
      const connection = new Connection();
      try {
        this.opened = await connection.open(this.opening(provider), signal);
        this.providers = this.providers.slice(this.providers.indexOf(provider));
        for (const line of this.opened.notes) this.note(line);
        return { connection, opened: this.opened };
      } catch (thrown) {
        const error = thrown as LamaEdgeError;
        connection.end(error);
        const isLast = provider === this.providers.at(-1);
        if (isLast || error.kind === "usage" || error.kind === "cancelled") throw error;
        this.note(`WebGPU is not used: ${error.message}`);
      }
    }
    throw new Error("there is always a provider");
  }

  private opening(provider: Provider): Opening {
    const { ort, threads, selfTest = true } = this.options;
    const folder = ort ?? new URL(ORT_BESIDE_THIS_PACKAGE, import.meta.url);
    return { model: this.file.blob, ort: absolute(folder).href, provider, threads, selfTest };
  }

  /**
   * After a failure: whether the work is worth doing again. A worker whose memory ended, or whose
   * GPU was lost, is of no more use: another is started.
   */
  private async startedAgain(running: Running, error: LamaEdgeError): Promise<boolean> {
    if (this.closed || !["model", "missing"].includes(error.kind)) return false;
    const givesWay = running.opened.provider === "webgpu" && this.providers.length > 1;
    if (!givesWay && error.kind === "model") return false;
    if ((await this.running) === running) {
      running.connection.end(error);
      if (givesWay) {
        this.note(`WebGPU is not used any more: ${error.message}`);
        this.providers = this.providers.slice(1);
      }
      this.running = this.started();
      // Whoever comes next is told of it.
      this.running.catch(() => {});
    }
    return givesWay;
  }
}

/** Pixels in memory of their own, to be given away. */
function copied(pixels: Pixels): Pixels {
  return { ...pixels, data: pixels.data.slice() };
}

function inpainted({ pixels, report }: Filled, provider: Provider): Inpainted {
  return {
    pixels,
    report: { ...report, provider } satisfies Report & { provider: Provider },
    toImageData: () => new ImageData(toRgba(pixels), pixels.width, pixels.height),
    toBlob: () => encodePng(pixels),
  };
}
