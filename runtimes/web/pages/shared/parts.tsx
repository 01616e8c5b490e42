/** What both pages are made of. */

import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Tone = "plain" | "pass" | "warn" | "fail";

/** A button of a finger's size; `pressed` makes it a switch. */
export function Button({
  primary = false,
  pressed,
  label,
  children,
  ...rest
}: {
  primary?: boolean;
  pressed?: boolean | undefined;
  /** What screen readers say, where the content is a picture. */
  label?: string;
  children: ComponentChildren;
} & ButtonHTMLAttributes<HTMLButtonElement>) {
  return (
    <button
      type="button"
      class={primary ? "button primary" : "button"}
      aria-pressed={pressed}
      aria-label={label}
      title={label}
      {...rest}
    >
      {children}
    </button>
  );
}

/** A word in a coloured pill; the word says it, the colour only underlines it. */
export function Badge({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** A paragraph that stands out; a failure is told at once to screen readers. */
export function Notice({ tone = "plain", children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <div class={`notice ${tone}`} role={tone === "fail" ? "alert" : undefined}>
      {children}
    </div>
  );
}

/** A bar with its words. `value` is 0 to 1, null where nobody knows how much there is to come. */
export function Progress({
  value,
  label,
  detail,
}: {
  value: number | null;
  label: string;
  detail?: string | undefined;
}) {
  const share = value === null ? null : Math.min(1, Math.max(0, value));
  return (
    <div class="progress">
      <div class="progress-text">
        <span>{label}</span>
        <span>{detail}</span>
      </div>
      <div
        class={share === null ? "progress-bar unknown" : "progress-bar"}
        role="progressbar"
        aria-label={label}
        aria-valuetext={detail}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share === null ? undefined : Math.round(100 * share)}
      >
        <span style={share === null ? undefined : { width: `${100 * share}%` }} />
      </div>
    </div>
  );
}

/**
 * Reads a sentence to screen readers when it changes; nothing is seen of it.
 *
 * It has to be on the page before what it says, and stay there.
 */
export function Announcer({ children }: { children: string }) {
  const [said, say] = useState("");
  // A change in the very first drawing is read by nobody.
  useEffect(() => say(children), [children]);
  return (
    <div class="unseen" role="status" aria-live="polite">
      {said}
    </div>
  );
}
