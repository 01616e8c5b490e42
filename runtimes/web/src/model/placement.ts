// Where the nodes of a graph run, read out of what ONNX Runtime logs while it opens it.

/** Nodes by provider, under ONNX Runtime's names, and those that were left to the processor. */
export interface Placement {
  providers: Record<string, number>;
  /** `name (operator)` of the nodes on the processor while another provider is in use. */
  fellBack: string[];
}

const PLACED = /(?:All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/;
const NODE = /(?:^|\s)(\w+) \(([^()]*)\)\s*$/;
const PROCESSOR = "CPUExecutionProvider";
const METHODS = ["log", "info", "warn", "error", "debug"] as const;

// Where lines go while somebody wants them.
let heard: string[] | null = null;
let isTapped = false;

/** Lets `loggedBy` hear what ONNX Runtime Web logs. Before that is imported: it holds the console's
 * methods as they are when it starts. */
export function tapConsole(): void {
  if (isTapped) return;
  isTapped = true;
  for (const method of METHODS) {
    const before = console[method];
    console[method] = (...parts: unknown[]) => {
      if (heard === null) before.apply(console, parts);
      else heard.push(...parts.join(" ").split("\n"));
    };
  }
}

/** Does work and gives the lines that were written to the console meanwhile, which it keeps from
 * there. */
export async function loggedBy<T>(work: () => Promise<T>): Promise<{ value: T; lines: string[] }> {
  const lines: string[] = [];
  heard = lines;
  try {
    return { value: await work(), lines };
  } finally {
    heard = null;
  }
}

/** Reads a log; null when it says nothing of placement. */
export function placementIn(lines: readonly string[]): Placement | null {
  const placement: Placement = { providers: {}, fellBack: [] };
  let listed: string | null = null;
  for (const line of lines) {
    const placed = PLACED.exec(line);
    if (placed?.[1]) {
      listed = placed[1];
      placement.providers[listed] = (placement.providers[listed] ?? 0) + Number(placed[2]);
      continue;
    }
    const node = listed === PROCESSOR ? NODE.exec(line) : null;
    if (node && line.includes("VerifyEachNodeIsAssignedToAnEp")) {
      placement.fellBack.push(node[2] ? `${node[2]} (${node[1]})` : String(node[1]));
    }
  }
  const providers = Object.keys(placement.providers);
  if (providers.length === 0) return null;
  if (providers.length === 1) placement.fellBack = [];
  return placement;
}
