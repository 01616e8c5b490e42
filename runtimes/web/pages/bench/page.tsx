/** The bench page: what will run, how far it is, and what was found. */

import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import { count, fileSize } from "../shared/figures.js";
import { Announcer, Button, Notice, Progress } from "../shared/parts.js";
import { Canvas } from "./canvas.js";
import { type Environment, environment, graphicsName } from "./machine.js";
import { next, type Shown, START, share } from "./progress.js";
import { Rows } from "./rows.js";
import { type Seen, Session } from "./session.js";

export function Page() {
  const [shown, happened] = useReducer(next, START);
  const [seen, see] = useState<Seen | null>(null);
  const [fills, fill] = useState<ReadonlyMap<string, ImageData>>(new Map());
  const [device, tell] = useState<Environment | null>(null);
  const [awake, keep] = useState(true);
  const session = useRef<Session | null>(null);
  useEffect(() => {
    session.current = new Session(happened, (picture) => {
      see(picture);
      const { row, image, filled } = picture;
      if (filled && row !== null) fill((known) => new Map(known).set(row, image));
    });
    void session.current.open(location);
    void environment().then(tell);
  }, []);
  useEffect(() => {
    document.title = `${titleOf(shown)} – lama-edge bench`;
  }, [shown.phase, shown.current]);

  const isRunning = shown.phase === "running" || shown.phase === "lost";
  return (
    <main class="bench">
      <header>
        <p class="eyebrow">lama-edge bench</p>
        <h1>{titleOf(shown)}</h1>
        <p class="soft lead">{leadOf(shown)}</p>
      </header>
      <Announcer>{spoken(shown)}</Announcer>
      <Message shown={shown} />
      {shown.phase === "ready" && <Cautions device={device} rows={shown.rows} />}
      {isRunning && !awake && (
        <Notice tone="warn">
          This browser does not keep the screen on: touch it now and then, and leave the page in
          front.
        </Notice>
      )}
      {isRunning && (
        <section class="running panel" aria-label="Progress">
          {seen !== null && (
            <figure>
              <Canvas
                image={seen.image}
                label={seen.filled ? "The filled picture" : "The picture with its hole"}
              />
              <figcaption class="soft small">
                {seen.filled ? "The hole, filled" : "The hole, marked"}
              </figcaption>
            </figure>
          )}
          <div class="running-text">
            <Doing shown={shown} />
          </div>
        </section>
      )}
      {shown.rows.length > 0 && <Rows shown={shown} fills={fills} />}
      <div class="actions">
        {shown.phase === "ready" && (
          <Button primary onClick={() => void session.current?.start().then(keep)}>
            Start
          </Button>
        )}
        {isRunning && <Button onClick={() => session.current?.stop()}>Stop</Button>}
        {AGAIN.includes(shown.phase) && (
          <Button onClick={() => location.reload()}>Try again</Button>
        )}
      </div>
      <footer class="soft small">{device !== null && deviceLine(device)}</footer>
    </main>
  );
}

const AGAIN: readonly Shown["phase"][] = ["busy", "refused", "gone"];

/** What is done now: in words, and by two bars, the upper one of a download. */
function Doing({ shown }: { shown: Shown }) {
  const { download, rounds, rows, current } = shown;
  const row = rows.find(({ title }) => title === current);
  const round = row && row.round > 0 ? `round ${row.round} of ${rounds}` : undefined;
  return (
    <>
      <h2>{current ?? "This device"}</h2>
      {download === null ? (
        <p class="step">
          <span>{STEPS[shown.step] ?? sentence(shown.step)}</span>
          <Elapsed key={`${current} ${shown.step}`} />
        </p>
      ) : (
        <Progress
          value={download.loaded / download.total}
          label="Downloading the model"
          detail={`${fileSize(download.loaded)} of ${fileSize(download.total)}`}
        />
      )}
      <Progress value={share(shown)} label="All together" detail={round} />
      <p class="soft small">
        The page stands still while it measures, so that it takes no time from the model. Leave it
        in front.
      </p>
    </>
  );
}

/** Seconds since it was drawn first; the only thing that moves while a model is measured. */
function Elapsed() {
  const [seconds, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((before) => before + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span class="soft" aria-hidden="true">
      {seconds > 1 && `${seconds} s`}
    </span>
  );
}

/** What a person should know before pressing start. */
function Cautions({ device, rows }: { device: Environment | null; rows: Shown["rows"] }) {
  if (device === null) return null;
  const wantsGpu = rows.some(({ title }) => title.includes("· webgpu"));
  return (
    <>
      {!device.browser.isolated && (
        <Notice tone="warn">
          WebAssembly runs on one thread here: the page is not isolated from other sites.
        </Notice>
      )}
      {wantsGpu && device.gpu === null && (
        <Notice tone="warn">
          This browser gives the page no WebGPU: what is to run on it will fail.
        </Notice>
      )}
    </>
  );
}

function Message({ shown: { phase, text } }: { shown: Shown }) {
  switch (phase) {
    case "busy":
      return <Notice tone="warn">{sentence(text)}. Close that one first.</Notice>;
    case "refused":
      return (
        <Notice tone="fail">
          The computer does not take this page: {text}. Open the address, or scan the code, that its
          terminal shows now.
        </Notice>
      );
    case "ended":
      return <Notice tone="fail">{sentence(text)}.</Notice>;
    case "gone":
      return (
        <Notice tone="fail">
          The computer does not answer any more. Is its command still running, and is this device in
          the same network?
        </Notice>
      );
    case "lost":
      return (
        <Notice tone="warn">
          The connection to the computer broke, and what was being measured is lost. Trying again…
        </Notice>
      );
    default:
      return null;
  }
}

function titleOf({ phase, rows }: Shown): string {
  switch (phase) {
    case "connecting":
      return "Looking for the computer";
    case "ready":
      return "Measure LaMa on this device";
    case "running":
    case "lost":
      return "Measuring";
    case "done":
      return rows.some(({ state, parity }) => state === "failed" || parity === "failed")
        ? "Measured, with failures"
        : "Measured";
    case "stopped":
      return "Stopped";
    default:
      return "Nothing is measured";
  }
}

function leadOf({ phase, rows, rounds }: Shown): string {
  switch (phase) {
    case "ready":
      return rows.length === 0
        ? "Nothing runs before you press start."
        : `${count(rows.length, "measurement")} in ${count(rounds, "round")}. Nothing runs before ` +
            "you press start; then leave this page in front until it is done.";
    case "done":
      return "The result is on the computer. You can close this page.";
    case "stopped":
      return "Nothing more is measured. The computer keeps what was done before.";
    default:
      return "";
  }
}

/** What screen readers are told as it changes: not every step. */
function spoken(shown: Shown): string {
  const { phase, current, rows, rounds } = shown;
  if (phase !== "running" || current === null) return `${titleOf(shown)}. ${leadOf(shown)}`;
  const round = rows.find(({ title }) => title === current)?.round ?? 0;
  return round === 0 ? current : `${current}, round ${round} of ${rounds}`;
}

const STEPS: Record<string, string> = {
  sampling: "Measuring",
  sampled: "Running once more for the picture",
};

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function deviceLine({ browser, os, cores, gpu, device }: Environment): string {
  const graphics = graphicsName(gpu);
  return [
    `${browser.name} ${browser.version.split(".")[0]} on ${os}`,
    device,
    count(cores, "core"),
    graphics ? `GPU: ${graphics}` : "no WebGPU",
  ]
    .filter(Boolean)
    .join(" · ");
}
