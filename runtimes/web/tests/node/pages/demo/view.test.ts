import { describe, expect, it } from "vitest";
import {
  fitted,
  panned,
  pinched,
  showing,
  toPicture,
  toStage,
  type View,
  zoomed,
} from "../../../../pages/demo/editing/view.js";

const stage = { width: 800, height: 600 };
const picture = { width: 4000, height: 2000 };

function close(actual: { x: number; y: number }, expected: { x: number; y: number }) {
  expect(actual.x).toBeCloseTo(expected.x, 6);
  expect(actual.y).toBeCloseTo(expected.y, 6);
}

describe("the view", () => {
  it("fits all of the picture into the middle, small ones enlarged", () => {
    const view = fitted(picture, stage, 10);
    expect(view.scale).toBeCloseTo(780 / 4000);
    close(toStage(view, { x: 2000, y: 1000 }), { x: 400, y: 300 });
    expect(fitted({ width: 39, height: 29 }, stage, 10).scale).toBeCloseTo(20);
    expect(fitted({ width: 2, height: 2 }, stage).scale).toBe(32);
  });

  it("is still a view on a stage without room", () => {
    const view = fitted(picture, { width: 0, height: 0 });
    expect(view.scale).toBeGreaterThan(0);
  });

  it("goes from the stage to the picture and back", () => {
    const view = { scale: 0.37, x: -12.5, y: 40 };
    close(toStage(view, toPicture(view, { x: 123, y: 45 })), { x: 123, y: 45 });
  });

  it("zooms with what is under the pointer staying there", () => {
    const at = { x: 500, y: 310 };
    let view: View = fitted(picture, stage);
    const held = toPicture(view, at);
    for (const factor of [1.5, 3, 1.2, 0.8]) {
      view = zoomed(view, factor, at, picture, stage);
      close(toStage(view, held), at);
    }
    expect(view.scale).toBeCloseTo(fitted(picture, stage).scale * 1.5 * 3 * 1.2 * 0.8);
  });

  it("zooms neither into a pixel nor out of sight", () => {
    const middle = { x: 400, y: 300 };
    const whole = fitted(picture, stage);
    expect(zoomed(whole, 1e6, middle, picture, stage).scale).toBe(32);
    expect(zoomed(whole, 1e-6, middle, picture, stage).scale).toBeCloseTo(whole.scale / 2);
  });

  it("keeps some of the picture on the stage", () => {
    for (const by of [-1e6, 1e6]) {
      const view = panned(fitted(picture, stage), { x: by, y: by }, picture, stage);
      const from = toStage(view, { x: 0, y: 0 });
      const to = toStage(view, { x: picture.width, y: picture.height });
      expect(Math.min(to.x, stage.width) - Math.max(from.x, 0)).toBeGreaterThanOrEqual(47.9);
      expect(Math.min(to.y, stage.height) - Math.max(from.y, 0)).toBeGreaterThanOrEqual(47.9);
    }
  });

  it("follows two fingers: what was under each is under it afterwards", () => {
    const view = fitted(picture, stage);
    const before = [
      { x: 300, y: 250 },
      { x: 400, y: 330 },
    ] as const;
    const after = [
      { x: 250, y: 200 },
      { x: 450, y: 360 },
    ] as const;
    const pinch = pinched(view, before, after, picture, stage);
    expect(pinch.scale).toBeCloseTo(2 * view.scale);
    close(toStage(pinch, toPicture(view, before[0])), after[0]);
    close(toStage(pinch, toPicture(view, before[1])), after[1]);
  });

  it("is moved as little as shows a point", () => {
    const near = zoomed(fitted(picture, stage), 8, { x: 400, y: 300 }, picture, stage);
    expect(showing(near, toPicture(near, { x: 400, y: 300 }), picture, stage)).toEqual(near);
    const shown = showing(near, toPicture(near, { x: 900, y: 300 }), picture, stage);
    close(toStage(shown, toPicture(near, { x: 900, y: 300 })), { x: stage.width - 48, y: 300 });
  });
});
