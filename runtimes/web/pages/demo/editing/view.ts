/** Where the picture lies on the stage, and how zooming, panning and pinching move it. */

import { clamp, distance, type Extent, middle, type Point } from "./geometry.js";

/** Stage pixel = picture pixel x `scale` + (`x`, `y`). */
export interface View {
  /** CSS pixels for a pixel of the picture. */
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

const MOST_SCALE = 32;
// Of the picture that stays on the stage however far it is pushed, in CSS pixels.
const LEAST_SEEN = 48;

export function toPicture(view: View, point: Point): Point {
  return { x: (point.x - view.x) / view.scale, y: (point.y - view.y) / view.scale };
}

export function toStage(view: View, point: Point): Point {
  return { x: point.x * view.scale + view.x, y: point.y * view.scale + view.y };
}

/** Returns the view of all of a picture in the middle of the stage, small pictures enlarged. */
export function fitted(picture: Extent, stage: Extent, margin = 12): View {
  const room = (side: number) => Math.max(side - 2 * margin, 1);
  const scale = Math.min(
    room(stage.width) / picture.width,
    room(stage.height) / picture.height,
    MOST_SCALE,
  );
  return {
    scale,
    x: (stage.width - picture.width * scale) / 2,
    y: (stage.height - picture.height * scale) / 2,
  };
}

/** Returns a view nearer by `factor`, with what is under `at` staying there. */
export function zoomed(
  view: View,
  factor: number,
  at: Point,
  picture: Extent,
  stage: Extent,
): View {
  const whole = fitted(picture, stage).scale;
  const scale = clamp(view.scale * factor, Math.min(whole / 2, 1), Math.max(MOST_SCALE, whole));
  const held = toPicture(view, at);
  return kept({ scale, x: at.x - held.x * scale, y: at.y - held.y * scale }, picture, stage);
}

export function panned(view: View, by: Point, picture: Extent, stage: Extent): View {
  return kept({ ...view, x: view.x + by.x, y: view.y + by.y }, picture, stage);
}

/** Returns the view after two fingers went from `before` to `after`: pan and zoom at once. */
export function pinched(
  view: View,
  before: readonly [Point, Point],
  after: readonly [Point, Point],
  picture: Extent,
  stage: Extent,
): View {
  const from = middle(...before);
  const to = middle(...after);
  const moved = panned(view, { x: to.x - from.x, y: to.y - from.y }, picture, stage);
  const factor = distance(...after) / Math.max(distance(...before), 1);
  return zoomed(moved, factor, to, picture, stage);
}

/** Returns the view moved as little as shows `point` of the picture, some way from the edge. */
export function showing(view: View, point: Point, picture: Extent, stage: Extent): View {
  const { x, y } = toStage(view, point);
  const inside = (at: number, side: number) => clamp(at, LEAST_SEEN, side - LEAST_SEEN) - at;
  return panned(view, { x: inside(x, stage.width), y: inside(y, stage.height) }, picture, stage);
}

/** Returns the view with some of the picture on the stage. */
export function kept(view: View, picture: Extent, stage: Extent): View {
  const within = (start: number, side: number, room: number) =>
    clamp(start, Math.min(LEAST_SEEN, room) - side * view.scale, room - LEAST_SEEN);
  return {
    scale: view.scale,
    x: within(view.x, picture.width, stage.width),
    y: within(view.y, picture.height, stage.height),
  };
}
