/** The canvas: shows picture, hole and brush, and makes strokes of pointers and keys. */

import { clamp, type Extent, type Point } from "./editing/geometry.js";
import { type Action, Gestures } from "./editing/gestures.js";
import { extend, type Stroke } from "./editing/strokes.js";
import {
  fitted,
  kept,
  panned,
  pinched,
  showing,
  toPicture,
  toStage,
  type View,
  zoomed,
} from "./editing/view.js";

export type Tool = "brush" | "eraser" | "move";

/** What the stage shows. */
export interface Shown {
  readonly picture: HTMLCanvasElement;
  /** As the picture was when it was opened. */
  readonly original: HTMLCanvasElement;
  /** What makes the hole. */
  readonly strokes: readonly Stroke[];
}

/** What is told of the stage. */
export interface StageListener {
  stroke(stroke: Stroke): void;
  /** Another view: CSS pixels for a pixel of the picture. */
  zoomed(scale: number): void;
  /** For screen readers. */
  said(words: string): void;
  brush(diameter: number): void;
  erase(): void;
  compare(on: boolean): void;
}

// Of the brush, in CSS pixels: what a finger needs, and what covers a head in a portrait.
export const BRUSH = { least: 4, most: 160, first: 40 } as const;

const ZOOM_STEP = 1.3;
// Sharper than this, single pixels shall be seen as such, in device pixels for each.
const PIXELATED = 4;
const STEP = 10; // of the arrow keys, in CSS pixels
const FAR_STEP = 50;
const PULSE_MS = 1400;

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export class Stage {
  #tool: Tool = "brush";
  #brush: number = BRUSH.first;
  #comparing = false;
  #busy = false;
  #shown: Shown | null = null;
  #view: View = { scale: 1, x: 0, y: 0 };
  // Whether the view is the one that shows all, which follows the stage's size.
  #fits = true;
  #size: Extent = { width: 1, height: 1 };
  #drawing: (Stroke & { readonly points: Point[] }) | null = null;
  #hover: Point | null = null;
  // Where the keyboard's brush is, in the picture.
  #cursor: Point | null = null;
  #frame = 0;
  readonly #gestures = new Gestures();
  readonly #overlay = document.createElement("canvas");
  readonly #ending = new AbortController();
  readonly #observer: ResizeObserver;
  #stripes: CanvasPattern | null = null;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly on: StageListener,
  ) {
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(canvas);
    const { signal } = this.#ending;
    const listen = <Name extends keyof HTMLElementEventMap>(
      name: Name,
      act: (event: HTMLElementEventMap[Name]) => void,
    ) => canvas.addEventListener(name, act, { signal, passive: false });
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#act(this.#gestures.up(event.pointerId)));
    listen("pointercancel", (event) => this.#act(this.#gestures.up(event.pointerId, true)));
    listen("pointerleave", () => this.#hovers(null));
    listen("wheel", (event) => this.#wheel(event));
    listen("keydown", (event) => this.#key(event));
    listen("keyup", (event) => {
      if (event.key.toLowerCase() === "c") this.on.compare(false);
    });
    listen("blur", () => {
      this.#finish();
      this.#cursor = null;
      this.on.compare(false);
      this.#redraw();
    });
    const schemes = matchMedia("(prefers-color-scheme: dark)");
    schemes.addEventListener("change", () => this.#redraw(), { signal });
  }

  dispose(): void {
    this.#ending.abort();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Shows another picture, or the same after it was changed. */
  show(shown: Shown | null): void {
    const another = shown?.picture !== this.#shown?.picture;
    this.#shown = shown;
    if (another) {
      this.#drawing = this.#cursor = null;
      this.fit();
    }
    this.#redraw();
  }

  set tool(tool: Tool) {
    this.#finish();
    this.#tool = tool;
    this.#redraw();
  }

  /** Diameter in CSS pixels. */
  set brush(diameter: number) {
    this.#brush = diameter;
    this.#redraw();
  }

  set comparing(on: boolean) {
    this.#comparing = on;
    this.#redraw();
  }

  /** Whether the model works on the hole: nothing can be drawn then. */
  set busy(busy: boolean) {
    if (busy) this.#drawing = null;
    this.#busy = busy;
    this.#redraw();
  }

  fit(): void {
    this.#fits = true;
    if (this.#shown) this.#look(fitted(this.#shown.picture, this.#size), true);
  }

  /** Zooms by steps, nearer where positive, with the stage's middle staying where it is. */
  zoom(steps: number): void {
    this.#zoomAt(ZOOM_STEP ** steps, { x: this.#size.width / 2, y: this.#size.height / 2 });
  }

  #zoomAt(factor: number, at: Point): void {
    if (this.#shown) this.#look(zoomed(this.#view, factor, at, this.#shown.picture, this.#size));
  }

  #look(view: View, fits = false): void {
    this.#view = view;
    this.#fits = fits;
    // For tests, and for whoever styles around the picture.
    this.canvas.setAttribute("data-view", [view.scale, view.x, view.y].join(" "));
    this.on.zoomed(view.scale);
    this.#redraw();
  }

  #resize(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.#size = { width, height };
    const ratio = devicePixelRatio;
    for (const canvas of [this.canvas, this.#overlay]) {
      canvas.width = Math.max(1, Math.round(width * ratio));
      canvas.height = Math.max(1, Math.round(height * ratio));
    }
    if (this.#fits) this.fit();
    else if (this.#shown) this.#look(kept(this.#view, this.#shown.picture, this.#size));
    // A canvas is empty once it has another size: drawn now, not a frame later.
    this.#draw();
  }

  // Pointers.

  #at(event: MouseEvent): Point {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #down(event: PointerEvent): void {
    if (!this.#shown || event.button > 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    if (event.button === 1) event.preventDefault(); // it would scroll
    if (this.#cursor) {
      this.#finish(); // what the keyboard drew
      this.#cursor = null;
    }
    const pans = this.#tool === "move" || event.button === 1 || this.#busy;
    this.#act(this.#gestures.down(event.pointerId, this.#at(event), pans));
  }

  #move(event: PointerEvent): void {
    this.#hovers(event.pointerType === "touch" ? null : this.#at(event));
    // Between two frames a pen reports many points.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      this.#act(this.#gestures.move(event.pointerId, this.#at(one)));
    }
  }

  #hovers(at: Point | null): void {
    if (at === null && this.#hover === null) return;
    this.#hover = at;
    this.#redraw();
  }

  #act(action: Action | undefined): void {
    if (!action || !this.#shown) return;
    const { picture } = this.#shown;
    if (action.kind === "draw") {
      const point = toPicture(this.#view, action.at);
      if (action.first) this.#begin(point);
      else this.#draws(point);
    } else if (action.kind === "lift") this.#finish();
    else if (action.kind === "drop") this.#drawing = null;
    else if (action.kind === "pan") this.#look(panned(this.#view, action.by, picture, this.#size));
    else this.#look(pinched(this.#view, action.before, action.after, picture, this.#size));
    this.#redraw();
  }

  #begin(point: Point): void {
    const radius = this.#brush / 2 / this.#view.scale;
    this.#drawing = { radius, points: [point], erases: this.#tool === "eraser" };
  }

  #draws(point: Point): void {
    if (this.#drawing) extend(this.#drawing.points, point, this.#drawing.radius);
    this.#redraw();
  }

  /** Hands over what was drawn. */
  #finish(): void {
    const stroke = this.#drawing;
    this.#drawing = null;
    if (stroke) this.on.stroke(stroke);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const delta = clamp(event.deltaY * lines, -200, 200);
    // Two fingers on a touchpad come as a wheel with the control key, in small steps.
    this.#zoomAt(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.002)), this.#at(event));
  }

  // The keyboard.

  #key(event: KeyboardEvent): void {
    if (!this.#shown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#pressed(event)) event.preventDefault();
  }

  #pressed({ key, shiftKey, repeat }: KeyboardEvent): boolean {
    const arrow = ARROWS[key];
    if (arrow) this.#arrow(arrow, shiftKey ? FAR_STEP : STEP);
    else if (key === " ") {
      if (!repeat) this.#pen();
    } else if (key === "Enter") {
      this.#finish();
      if (!repeat) this.on.erase();
    } else if (key === "Escape" && this.#drawing) {
      this.#drawing = null;
      this.on.said("Brush up, nothing marked");
    } else if (key === "[" || key === "]") {
      const diameter = this.#brush * (key === "]" ? 1.25 : 0.8);
      this.on.brush(clamp(Math.round(diameter), BRUSH.least, BRUSH.most));
    } else if (key === "+" || key === "=") this.zoom(1);
    else if (key === "-") this.zoom(-1);
    else if (key === "0") this.fit();
    else if (key.toLowerCase() === "c") this.on.compare(true);
    else return false;
    this.#redraw();
    return true;
  }

  #arrow(arrow: Point, pixels: number): void {
    if (!this.#shown) return;
    const { picture } = this.#shown;
    if (this.#tool === "move") {
      const by = { x: -arrow.x * pixels, y: -arrow.y * pixels };
      this.#look(panned(this.#view, by, picture, this.#size));
      return;
    }
    const step = pixels / this.#view.scale;
    const from = this.#brushAt();
    this.#cursor = {
      x: clamp(from.x + arrow.x * step, 0, picture.width),
      y: clamp(from.y + arrow.y * step, 0, picture.height),
    };
    const fits = this.#fits;
    this.#look(showing(this.#view, this.#cursor, picture, this.#size), fits);
    this.#draws(this.#cursor);
    if (!this.#drawing) this.on.said(`Brush ${this.#place()}`);
  }

  #pen(): void {
    if (this.#busy || this.#tool === "move") return;
    if (this.#drawing) {
      this.#finish();
      return;
    }
    this.#cursor = this.#brushAt();
    this.#begin(this.#cursor);
    const what = this.#tool === "eraser" ? "Eraser" : "Brush";
    this.on.said(`${what} down ${this.#place()}. Arrow keys draw, space lifts.`);
  }

  /** Where keys start: the middle of what is seen, where they were not used yet. */
  #brushAt(): Point {
    const { width, height } = this.#size;
    return this.#cursor ?? toPicture(this.#view, { x: width / 2, y: height / 2 });
  }

  #place(): string {
    const { x, y } = this.#brushAt();
    const { width = 1, height = 1 } = this.#shown?.picture ?? {};
    const percent = (at: number, side: number) => Math.round((100 * at) / side);
    return `at ${percent(x, width)} % from the left, ${percent(y, height)} % from the top`;
  }

  // Drawing.

  #redraw(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const ratio = devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    if (!this.#shown) return;
    const { picture, original, strokes } = this.#shown;
    const { scale, x, y } = this.#view;
    context.imageSmoothingEnabled = scale * ratio < PIXELATED;
    context.imageSmoothingQuality = "high";
    const seen = this.#comparing ? original : picture;
    context.drawImage(seen, x, y, picture.width * scale, picture.height * scale);
    if (this.#comparing) return;
    this.#drawHole(context, this.#drawing ? [...strokes, this.#drawing] : strokes);
    this.#drawBrush(context);
    if (this.#busy && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.#redraw();
  }

  #drawHole(context: CanvasRenderingContext2D, strokes: readonly Stroke[]): void {
    const overlay = this.#overlay.getContext("2d");
    if (strokes.length === 0 || !overlay || !this.#shown) return;
    const { picture } = this.#shown;
    const { scale, x, y } = this.#view;
    const ratio = devicePixelRatio;
    overlay.setTransform(1, 0, 0, 1, 0, 0);
    overlay.clearRect(0, 0, this.#overlay.width, this.#overlay.height);
    overlay.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    overlay.lineCap = overlay.lineJoin = "round";
    for (const stroke of strokes) drawStroke(overlay, stroke);
    overlay.setTransform(1, 0, 0, 1, 0, 0);
    overlay.globalCompositeOperation = "source-in";
    this.#stripes ??= stripes(overlay, ratio);
    overlay.fillStyle = this.#stripes ?? "#ff0050";
    overlay.fillRect(0, 0, this.#overlay.width, this.#overlay.height);
    overlay.globalCompositeOperation = "source-over";
    context.save();
    context.beginPath();
    context.rect(x, y, picture.width * scale, picture.height * scale);
    context.clip();
    const wave = 0.5 + 0.5 * Math.cos((2 * Math.PI * performance.now()) / PULSE_MS);
    context.globalAlpha = this.#busy ? 0.3 + 0.4 * wave : 0.62;
    context.drawImage(this.#overlay, 0, 0, this.#size.width, this.#size.height);
    context.restore();
  }

  #drawBrush(context: CanvasRenderingContext2D): void {
    if (this.#busy || this.#tool === "move") return;
    const at = this.#cursor ? toStage(this.#view, this.#cursor) : this.#hover;
    if (!at) return;
    // Two colours, so that it is seen on every picture.
    for (const [width, colour] of [
      [3, "rgb(0 0 0 / 60%)"],
      [1.25, "#ffffff"],
    ] as const) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.arc(at.x, at.y, this.#brush / 2, 0, 2 * Math.PI);
      if (this.#cursor) {
        context.moveTo(at.x - 5, at.y);
        context.lineTo(at.x + 5, at.y);
        context.moveTo(at.x, at.y - 5);
        context.lineTo(at.x, at.y + 5);
      }
      context.stroke();
    }
  }
}

function drawStroke(context: CanvasRenderingContext2D, { points, radius, erases }: Stroke): void {
  context.globalCompositeOperation = erases ? "destination-out" : "source-over";
  context.beginPath();
  const [first] = points;
  if (points.length === 1 && first) {
    context.arc(first.x, first.y, radius, 0, 2 * Math.PI);
    context.fill();
  } else {
    for (const point of points) context.lineTo(point.x, point.y);
    context.lineWidth = 2 * radius;
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}

/** The hole's colour, with stripes for eyes that do not tell it from the picture's. */
function stripes(context: CanvasRenderingContext2D, ratio: number): CanvasPattern | null {
  const side = Math.round(10 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = side;
  const drawn = tile.getContext("2d");
  if (!drawn) return null;
  drawn.fillStyle = "#ff0050";
  drawn.fillRect(0, 0, side, side);
  drawn.strokeStyle = "#ff8fb0";
  drawn.lineWidth = side / 5;
  for (const offset of [-side, 0, side]) {
    drawn.moveTo(offset - side / 2, side * 1.5);
    drawn.lineTo(offset + side * 1.5, -side / 2);
  }
  drawn.stroke();
  return context.createPattern(tile, "repeat");
}
