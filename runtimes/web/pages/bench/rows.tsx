/** The rows: what will run, and each one's figures as they come. */

import { count, duration, memory } from "../shared/figures.js";
import { Badge, type Tone } from "../shared/parts.js";
import { Canvas } from "./canvas.js";
import { median, type Row, type Shown } from "./progress.js";

export function Rows({ shown, fills }: { shown: Shown; fills: ReadonlyMap<string, ImageData> }) {
  return (
    <section aria-labelledby="rows">
      <h2 id="rows">{shown.phase === "ready" ? "What will run" : "Results"}</h2>
      <ol class="rows">
        {shown.rows.map((row) => (
          <li key={row.title} class="panel row" aria-current={row.title === shown.current}>
            <Result row={row} rounds={shown.rounds} fill={fills.get(row.title)} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Result({ row, rounds, fill }: { row: Row; rounds: number; fill: ImageData | undefined }) {
  const [name, ...rest] = row.title.split(" · ");
  const [tone, word] = stateOf(row, rounds);
  return (
    <>
      <div class="row-head">
        <h3>
          {name} <span class="soft">{rest.join(" · ")}</span>
        </h3>
        <Badge tone={tone}>{word}</Badge>
      </div>
      {row.error !== null && <p class="notice fail">{row.error}</p>}
      {row.samples_ms.length > 0 && (
        <div class="row-found">
          {fill && <Canvas image={fill} label={`What ${name} made of the hole`} />}
          {row.parity !== "failed" && <Figures row={row} />}
        </div>
      )}
      {row.fell_back.length > 0 && (
        <p class="soft small">Left to the processor: {row.fell_back.join(", ")}</p>
      )}
      {row.notes.map((note) => (
        <p key={note} class="soft small">
          {note}
        </p>
      ))}
    </>
  );
}

/** What was measured; nobody is shown how long something wrong took. */
function Figures({ row }: { row: Row }) {
  return (
    <dl class="figures">
      <div class="median">
        <dt>Median of {count(row.samples_ms.length, "run")}</dt>
        <dd>{duration(median(row.samples_ms))}</dd>
      </div>
      <div>
        <dt>First run</dt>
        <dd>{duration(row.first_run_ms)}</dd>
      </div>
      <div>
        <dt>Opening</dt>
        <dd>{duration(row.load_ms)}</dd>
      </div>
      {row.memory_bytes !== null && (
        <div>
          <dt>WebAssembly’s memory</dt>
          <dd>{memory(row.memory_bytes)}</dd>
        </div>
      )}
      <div>
        <dt>Runs on</dt>
        <dd>
          {row.provider}, ONNX Runtime Web {row.version}
        </dd>
      </div>
    </dl>
  );
}

function stateOf(row: Row, rounds: number): [tone: Tone, word: string] {
  if (row.parity === "failed") return ["fail", "✗ computes something else"];
  if (row.state === "failed") return ["fail", "✗ failed"];
  if (row.parity === "passed") return ["pass", "✓ agrees with the reference"];
  if (row.parity === "not proven") return ["warn", "not proven"];
  if (row.state === "measured") return ["plain", "measured"];
  if (row.state === "running" && row.round === 0) return ["plain", "opening"];
  if (row.state === "running") return ["plain", `round ${row.round} of ${rounds}`];
  return ["plain", "waiting"];
}
