/** A picture on the page. */

import { useLayoutEffect, useRef } from "preact/hooks";

/** Shows pixels; `label` is what screen readers say of them. */
export function Canvas({ image, label }: { image: ImageData; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => canvas.current?.getContext("2d")?.putImageData(image, 0, 0), [image]);
  return (
    <canvas
      ref={canvas}
      class={image.width < 200 ? "coarse" : undefined}
      width={image.width}
      height={image.height}
      role="img"
      aria-label={label}
    />
  );
}
