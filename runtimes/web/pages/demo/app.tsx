/** What is seen of the page's state: header, stage, toolbar. */

import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { fileSize } from "../shared/figures.js";
import { Announcer, Badge, Button, Notice, Progress } from "../shared/parts.js";
import { Icon, type IconName } from "./icons.js";
import { SAMPLES, type Sample } from "./samples.js";
import { BRUSH, Stage, type Tool } from "./stage.js";
import { spelled, Work } from "./work.js";

const TOOLS: readonly (readonly [Tool, string])[] = [
  ["brush", "Brush"],
  ["eraser", "Eraser"],
  ["move", "Move"],
];

export function App() {
  const [, redraw] = useReducer<number, void>((turn) => turn + 1, 0);
  const work = useMemo(() => new Work(() => redraw()), []);
  const [tool, setTool] = useState<Tool>("brush");
  const [brush, setBrush] = useState<number>(BRUSH.first);
  const [comparing, setComparing] = useState(false);
  const [scale, setScale] = useState(1);
  const canvas = useRef<HTMLCanvasElement>(null);
  const stage = useRef<Stage | null>(null);

  useEffect(() => void work.openModel(), []);
  // The stage is told before the next event: a tool paints as soon as it was taken.
  useLayoutEffect(() => {
    if (!canvas.current) return;
    stage.current = new Stage(canvas.current, {
      stroke: (stroke) => work.stroke(stroke),
      zoomed: setScale,
      said: (words) => work.tell(words),
      brush: setBrush,
      erase: () => void work.erase(),
      compare: setComparing,
    });
    return () => stage.current?.dispose();
  }, []);
  useLayoutEffect(() => stage.current?.show(work.shown), [work.shown]);
  useLayoutEffect(() => {
    if (!stage.current) return;
    stage.current.tool = tool;
    stage.current.brush = brush;
    stage.current.comparing = comparing;
    stage.current.busy = work.erasing !== null;
  }, [tool, brush, comparing, work.erasing]);
  useEffect(() => takeFiles((file, name) => void work.open(file, name)), []);
  useEffect(() => undoKeys(work), []);
  useEffect(() => {
    if (!work.unsaved) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [work.unsaved]);

  const { opened } = work;
  return (
    <>
      <header class="bar">
        <p class="wordmark">lama-edge</p>
        <ModelLine work={work} />
        <OpenButton work={work} primary={false} />
        <Button
          label="Save as PNG"
          disabled={!opened || work.busy}
          onClick={() => void work.save()}
        >
          <Icon name="save" />
          <span class="words">Save</span>
        </Button>
      </header>
      <main class="stage">
        <h1 class="unseen">Erase things from a photo</h1>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: keys draw here, so
            screen readers have to let them through */}
        <canvas
          ref={canvas}
          class={`surface ${tool}`}
          hidden={!opened}
          tabIndex={0}
          role="application"
          aria-label="The photo, to be painted on"
          aria-describedby="keys"
        />
        <p id="keys" class="unseen">
          Arrow keys move the brush, with shift further; space puts it down and lifts it; enter
          erases; square brackets change its size; plus, minus and zero zoom; hold C to compare.
        </p>
        {!opened && <Welcome work={work} />}
        {comparing && <p class="tag">Before</p>}
        <Messages work={work} />
      </main>
      {opened && (
        <Toolbar
          {...{ work, tool, setTool, brush, setBrush, comparing, setComparing, scale }}
          zoom={(steps) => stage.current?.zoom(steps)}
          fit={() => stage.current?.fit()}
        />
      )}
      <Announcer>{work.said}</Announcer>
    </>
  );
}

/** Who runs the model, or how far it is. */
function ModelLine({ work: { model, settings } }: { work: Work }) {
  const name = settings?.model.name ?? "model";
  if (model.state === "failed") {
    return (
      <div class="model">
        <Badge tone="fail">no model</Badge>
      </div>
    );
  }
  if (model.state === "ready") {
    return (
      <p class="model small">
        <span class="soft">{name}</span> <Badge>{spelled(model.inpainter.info)}</Badge>
      </p>
    );
  }
  const { loaded, total } = model;
  const whole = total !== null && loaded >= total;
  return (
    <div class="model">
      <Progress
        value={total && !whole ? loaded / total : null}
        label={whole ? `Starting ${name}` : `Loading ${name}`}
        detail={total && !whole ? `${fileSize(loaded)} of ${fileSize(total)}` : undefined}
      />
    </div>
  );
}

function Welcome({ work }: { work: Work }) {
  return (
    <div class="welcome">
      <h2 class="title">Erase things from a photo</h2>
      <p class="soft">The photo stays on this device: nothing is uploaded.</p>
      <p>
        <OpenButton work={work} primary />
      </p>
      <p class="soft small">or drop one here, paste one, or try one of these:</p>
      <ul class="samples">
        {SAMPLES.map((sample) => (
          <li key={sample.name}>
            <button type="button" onClick={() => void openSample(work, sample)}>
              <img src={sample.url} alt={sample.shows} width="160" height="107" />
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

async function openSample(work: Work, { url, name }: Sample): Promise<void> {
  await work.open(await (await fetch(url)).blob(), name);
}

function OpenButton({ work, primary }: { work: Work; primary: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button
        primary={primary}
        label="Open a photo"
        disabled={work.busy}
        onClick={() => input.current?.click()}
      >
        <Icon name="open" />
        <span class="words">{primary ? "Open a photo" : "Open"}</span>
      </Button>
      <input
        ref={input}
        class="unseen"
        type="file"
        accept="image/*"
        tabIndex={-1}
        aria-hidden="true"
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          // So that the same file can be opened again.
          currentTarget.value = "";
          if (file) void work.open(file, file.name);
        }}
      />
    </>
  );
}

/** What is said, what went wrong, and what should be known. */
function Messages({ work }: { work: Work }) {
  const failed = work.model.state === "failed" ? work.model.message : "";
  return (
    <div class="messages">
      {failed && <Notice tone="fail">{failed}</Notice>}
      {work.error && <Notice tone="fail">{work.error}</Notice>}
      {work.notes.map((note) => (
        <Notice tone="warn" key={note}>
          <div class="dismissable">
            <span>{note}</span>
            <button type="button" class="link" onClick={() => work.forget(note)}>
              Got it
            </button>
          </div>
        </Notice>
      ))}
      {work.opened && work.said && (
        <p class="said" aria-hidden="true">
          {work.said}
          {work.busy && "…"}
        </p>
      )}
    </div>
  );
}

interface ToolbarProps {
  work: Work;
  tool: Tool;
  setTool(tool: Tool): void;
  brush: number;
  setBrush(diameter: number): void;
  comparing: boolean;
  setComparing(on: boolean): void;
  scale: number;
  zoom(steps: number): void;
  fit(): void;
}

function Toolbar(props: ToolbarProps) {
  const { work, tool, setTool, brush, setBrush, comparing, setComparing, scale } = props;
  const edits = work.opened?.edits;
  const { busy } = work;
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools">
      <div class="group tools">
        {TOOLS.map(([name, label]) => (
          <Button key={name} pressed={tool === name} label={label} onClick={() => setTool(name)}>
            <Icon name={name} />
          </Button>
        ))}
      </div>
      <label class="group size">
        <span class="unseen">Brush size</span>
        <span class="dot small" aria-hidden="true" />
        <input
          type="range"
          min={BRUSH.least}
          max={BRUSH.most}
          value={brush}
          onInput={({ currentTarget }) => setBrush(Number(currentTarget.value))}
        />
        <span class="dot large" aria-hidden="true" />
      </label>
      <div class="group steps">
        <Tap icon="undo" label="Undo" off={busy || !edits?.canUndo} act={() => work.undo()} />
        <Tap icon="redo" label="Redo" off={busy || !edits?.canRedo} act={() => work.redo()} />
      </div>
      <div class="group zoom">
        <Tap icon="farther" label="Zoom out" act={() => props.zoom(-1)} />
        <Button label={`Show all of the photo, now at ${percent(scale)}`} onClick={props.fit}>
          <span class="scale">{percent(scale)}</span>
        </Button>
        <Tap icon="nearer" label="Zoom in" act={() => props.zoom(1)} />
      </div>
      <Compare {...{ comparing, setComparing }} />
      {work.erasing ? (
        <Button class="button stop" onClick={() => work.stop()}>
          <Icon name="stop" />
          Stop
        </Button>
      ) : (
        <Button primary disabled={!work.canErase} onClick={() => void work.erase()}>
          <Icon name="erase" />
          Erase
        </Button>
      )}
    </div>
  );
}

function Tap(props: { icon: IconName; label: string; off?: boolean; act(): void }) {
  return (
    <Button label={props.label} disabled={props.off ?? false} onClick={props.act}>
      <Icon name={props.icon} />
    </Button>
  );
}

/** Shows the photo as it was for as long as it is held, by pointer or key. */
function Compare({
  comparing,
  setComparing,
}: Pick<ToolbarProps, "comparing" | "setComparing">): JSX.Element {
  const isPress = (key: string) => key === " " || key === "Enter";
  return (
    <Button
      pressed={comparing}
      label="Hold to compare with the photo as it was"
      onPointerDown={({ currentTarget, pointerId }) => {
        currentTarget.setPointerCapture(pointerId);
        setComparing(true);
      }}
      onLostPointerCapture={() => setComparing(false)}
      onKeyDown={({ key }) => isPress(key) && setComparing(true)}
      onKeyUp={({ key }) => isPress(key) && setComparing(false)}
      onBlur={() => setComparing(false)}
      onContextMenu={(event) => event.preventDefault()}
    >
      <Icon name="compare" />
    </Button>
  );
}

function percent(scale: number): string {
  return `${Math.round(100 * scale)} %`;
}

/** Opens what is dropped or pasted. */
function takeFiles(open: (file: Blob, name: string) => void): () => void {
  const ending = new AbortController();
  const take = (event: Event, data: DataTransfer | null) => {
    const file = [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/"));
    // The browser would leave the page for a file that is dropped.
    if (file || event.type === "drop") event.preventDefault();
    if (file) open(file, file.name);
  };
  const { signal } = ending;
  document.addEventListener("dragover", (event) => event.preventDefault(), { signal });
  document.addEventListener("drop", (event) => take(event, event.dataTransfer), { signal });
  document.addEventListener("paste", (event) => take(event, event.clipboardData), { signal });
  return () => ending.abort();
}

function undoKeys(work: Work): () => void {
  const key = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const name = event.key.toLowerCase();
    if (name === "z") event.shiftKey ? work.redo() : work.undo();
    else if (name === "y") work.redo();
    else return;
    event.preventDefault();
  };
  addEventListener("keydown", key);
  return () => removeEventListener("keydown", key);
}
