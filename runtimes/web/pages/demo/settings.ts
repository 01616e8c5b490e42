/** What the page is told of the model: by the command's server, or by a file beside the page. */

import type { OpenOptions } from "../../src/types.js";

export interface Settings {
  readonly model: {
    /** Relative to the page's address, like `ort`. */
    readonly url: string;
    readonly name: string;
    readonly bytes: number;
    readonly sha256: string;
  };
  /** The folder of ONNX Runtime Web. */
  readonly ort: string;
  readonly provider: NonNullable<OpenOptions["provider"]>;
}

/** Settings with where they came from. */
export interface Told {
  readonly settings: Settings;
  /** What the server wants to see for the model; empty where the page is hosted as files. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads them.
 *
 * @param page the page's address; the command's has a token behind the `#`.
 * @throws Error in words for whoever opened the page.
 */
export async function readSettings(page: URL): Promise<Told> {
  const token = new URLSearchParams(page.hash.slice(1)).get("token");
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  const url = new URL(token ? "documents/settings.json" : "settings.json", page);
  const answer = await fetch(url, { headers, cache: "no-cache" }).catch(() => null);
  if (answer === null) {
    throw new Error("The server does not answer: is the command still running? Then reload.");
  }
  if (!answer.ok) {
    throw new Error(
      token
        ? "The server does not take this address: open the one that the command printed last."
        : "There is no settings.json beside this page. If a command printed the address, open it " +
            "with all that stands behind its #.",
    );
  }
  return { settings: (await answer.json()) as Settings, headers };
}
