/** What views, strokes and gestures have in common. */

/** In pixels: of the stage (CSS pixels from its corner), or of the picture. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** In pixels. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Columns `left` to `right` and rows `top` to `bottom`, without the last of each. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(b.x - a.x, b.y - a.y);
}

export function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
