/** The page's state and what can be done to it; what is seen of it is in app.tsx. */

import { encodePng, toPixels } from "../../src/images/images.js";
import { Inpainter, LamaEdgeError } from "../../src/index.js";
import type { ModelInfo } from "../../src/types.js";
import { count, duration } from "../shared/figures.js";
import { Edits } from "./editing/edits.js";
import type { Stroke } from "./editing/strokes.js";
import { canvasOf, show } from "./editing/surface.js";
import { readSettings, type Settings } from "./settings.js";
import type { Shown } from "./stage.js";

export type Model =
  | { readonly state: "opening"; readonly loaded: number; readonly total: number | null }
  | { readonly state: "ready"; readonly inpainter: Inpainter }
  | { readonly state: "failed"; readonly message: string };

interface Opened {
  readonly name: string;
  readonly edits: Edits;
  readonly canvas: HTMLCanvasElement;
  readonly original: HTMLCanvasElement;
}

const PAINT = "Paint over what shall go.";

/** One picture and one model, with what the page says of them. */
export class Work {
  model: Model = { state: "opening", loaded: 0, total: null };
  settings: Settings | null = null;
  opened: Opened | null = null;
  shown: Shown | null = null;
  /** Whether a picture's file is being read or written. */
  filing = false;
  /** Ends the erasing that is going on. */
  erasing: AbortController | null = null;
  /** Whether anything was done that no file has. */
  unsaved = false;
  /** For the status line and screen readers. */
  said = "";
  /** What went wrong last. */
  error = "";
  /** What should be known of model and fills. */
  notes: string[] = [];

  /** @param changed is called after every change. */
  constructor(private readonly changed: () => void) {}

  async openModel(): Promise<void> {
    try {
      const { settings, headers } = await readSettings(new URL(location.href));
      this.settings = settings;
      this.model = { state: "opening", loaded: 0, total: settings.model.bytes };
      this.changed();
      const inpainter = await Inpainter.open(new URL(settings.model.url, location.href), {
        provider: settings.provider,
        ort: new URL(settings.ort, location.href),
        sha256: settings.model.sha256,
        headers,
        onProgress: ({ loaded, total }) => {
          if (this.model.state !== "opening") return;
          this.model = { state: "opening", loaded, total: total ?? settings.model.bytes };
          this.changed();
        },
        onNote: (note) => this.#note(note),
      });
      this.model = { state: "ready", inpainter };
      // An error stays until it is read and something is done.
      if (this.error) this.changed();
      else this.#say(`The model is ready: ${spelled(inpainter.info)}${this.#ofPicture()}`);
    } catch (error) {
      this.model = { state: "failed", message: words(error) };
      this.changed();
    }
  }

  /** Opens a picture's file in the place of the one that is there. */
  async open(file: Blob, name: string): Promise<void> {
    if (this.busy) return;
    if (this.unsaved && !confirm("Open another picture? What you did to this one is not saved.")) {
      return;
    }
    this.filing = true;
    this.#say(`Opening ${name}`);
    try {
      const picture = await toPixels(file);
      const canvas = canvasOf(picture);
      this.opened = { name, edits: new Edits(picture), canvas, original: canvasOf(picture) };
      this.unsaved = false;
      this.#say(`${name}, ${picture.width} by ${picture.height} pixels. ${PAINT}`);
    } catch (error) {
      this.#fail(`${name} cannot be opened: ${words(error)}`);
    }
    this.filing = false;
    this.#show();
  }

  stroke(stroke: Stroke): void {
    const edits = this.opened?.edits;
    if (!edits || this.erasing) return;
    edits.add(stroke);
    this.unsaved = true;
    this.#show();
    this.#say(marked(edits.holeShare));
  }

  undo(): void {
    this.#step("undo");
  }

  redo(): void {
    this.#step("redo");
  }

  /** Whether the picture must stay as it is. */
  get busy(): boolean {
    return this.filing || this.erasing !== null;
  }

  get canErase(): boolean {
    return this.model.state === "ready" && !this.busy && Boolean(this.opened?.edits.hasHole);
  }

  /** Fills the hole. */
  async erase(): Promise<void> {
    const { model, opened } = this;
    if (!this.canErase || model.state !== "ready" || !opened) return;
    const { edits } = opened;
    const { picture } = edits;
    this.erasing = new AbortController();
    this.#say("Erasing");
    try {
      const started = performance.now();
      const hole = { ...picture, data: edits.mask, channels: 1 as const };
      const { pixels, report } = await model.inpainter.inpaint(picture, hole, {
        mask: { channel: "grey" },
        signal: this.erasing.signal,
      });
      show(opened.canvas, pixels, edits.fill(pixels));
      this.unsaved = true;
      const took = duration(performance.now() - started);
      this.#say(`Erased in ${took}, ${count(report.runs, "run")} of the model`);
      if (report.warning) this.#note(report.warning);
    } catch (error) {
      const ended = error instanceof LamaEdgeError && error.kind === "cancelled";
      if (ended) this.#say("Stopped; what you marked is still there");
      else this.#fail(`Nothing was erased: ${words(error)}`);
    }
    this.erasing = null;
    this.#show();
  }

  stop(): void {
    this.erasing?.abort();
  }

  /** Gives the picture as a PNG file to keep. */
  async save(): Promise<void> {
    if (!this.opened || this.busy) return;
    this.filing = true;
    this.#say("Saving");
    try {
      const url = URL.createObjectURL(await encodePng(this.opened.edits.picture));
      const link = document.createElement("a");
      link.href = url;
      link.download = `${this.opened.name.replace(/\.\w+$/, "")}-erased.png`;
      link.click();
      // The browser reads it after this function is done.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      this.unsaved = false;
      this.#say(`Saved as ${link.download}`);
    } catch (error) {
      this.#fail(`The picture cannot be saved: ${words(error)}`);
    }
    this.filing = false;
    this.changed();
  }

  /** Says something that the page has nothing else to show for. */
  tell(said: string): void {
    this.#say(said);
  }

  forget(note: string): void {
    this.notes = this.notes.filter((one) => one !== note);
    this.changed();
  }

  #step(way: "undo" | "redo"): void {
    const { opened } = this;
    const changed = this.busy ? undefined : opened?.edits[way]();
    if (!changed || !opened) return;
    if (changed !== "hole") show(opened.canvas, opened.edits.picture, changed);
    this.unsaved = true;
    this.#show();
    const done = way === "undo" ? "Undone" : "Done again";
    this.#say(`${done}. ${marked(opened.edits.holeShare)}`);
  }

  /** How far the open picture is, for the end of what is said of something else. */
  #ofPicture(): string {
    if (!this.opened) return "";
    const { hasHole, holeShare } = this.opened.edits;
    return `. ${hasHole ? marked(holeShare) : PAINT}`;
  }

  #show(): void {
    this.shown = this.opened && {
      picture: this.opened.canvas,
      original: this.opened.original,
      strokes: this.opened.edits.strokes,
    };
    this.changed();
  }

  #note(note: string): void {
    if (!this.notes.includes(note)) this.notes = [...this.notes, note];
    this.changed();
  }

  #say(said: string): void {
    this.said = said;
    this.error = "";
    this.changed();
  }

  #fail(error: string): void {
    this.said = "";
    this.error = error;
    this.changed();
  }
}

/** Spells who runs the model. */
export function spelled({ provider, threads }: ModelInfo): string {
  return provider === "webgpu" ? "WebGPU" : `WebAssembly, ${count(threads, "thread")}`;
}

function marked(share: number): string {
  if (share === 0) return "Nothing is marked";
  const percent = 100 * share;
  const figure = percent < 1 ? "less than 1" : String(Math.round(percent));
  return `${figure} % of the picture is marked`;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
