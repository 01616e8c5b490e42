/** Brings models to the page once, and keeps them for the tasks that follow. */

import { sha256 } from "../../src/opening/hashing.js";
import type { ErrorKind, ModelFile } from "./protocol.js";

/** Something that a row fails with; the message is one line. */
export class TaskError extends Error {
  constructor(
    readonly kind: ErrorKind,
    message: string,
  ) {
    super(message);
  }
}

export class Models {
  readonly #kept = new Map<string, Blob>();
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /**
   * Returns a model's bytes. They are a Blob, which the browser may keep on disk, and are held to
   * the hash that was asked for.
   *
   * @param told called with the bytes so far.
   */
  async get(model: ModelFile, signal: AbortSignal, told: (loaded: number) => void): Promise<Blob> {
    const kept = this.#kept.get(model.sha256);
    if (kept !== undefined) return kept;
    const bytes = await this.#download(model, signal, told);
    const hash = await sha256(new Uint8Array(await bytes.arrayBuffer()));
    if (hash !== model.sha256) {
      throw new TaskError(
        "model",
        `${model.name} was changed since it was hashed: ${hash.slice(0, 12)}… arrived where ` +
          `${model.sha256.slice(0, 12)}… was expected; measure again and leave it alone meanwhile`,
      );
    }
    this.#kept.set(model.sha256, bytes);
    return bytes;
  }

  async #download(
    model: ModelFile,
    signal: AbortSignal,
    told: (loaded: number) => void,
  ): Promise<Blob> {
    const response = await this.#fetch(model, signal);
    const parts: BlobPart[] = [];
    let loaded = 0;
    told(loaded);
    try {
      // A reader, because Safari's streams cannot be iterated over.
      const reader = response.body?.getReader();
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read()) {
        parts.push(read.value);
        loaded += read.value.byteLength;
        told(loaded);
      }
    } catch (error) {
      throw new TaskError("crash", `${model.name} broke off after ${loaded} bytes: ${error}`);
    }
    if (loaded !== model.bytes) {
      throw new TaskError(
        "model",
        `${model.name} came with ${loaded} bytes where ${model.bytes} were expected: it was ` +
          "changed, or the connection broke; measure again",
      );
    }
    return new Blob(parts);
  }

  async #fetch(model: ModelFile, signal: AbortSignal): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.#token}` };
    let response: Response;
    try {
      response = await fetch(model.url, { headers, signal });
    } catch (error) {
      throw new TaskError("crash", `${model.name} could not be loaded: ${error}`);
    }
    if (response.status === 410) {
      throw new TaskError(
        "model",
        `${model.name} was changed on the computer: measure again and leave it alone meanwhile`,
      );
    }
    if (!response.ok) {
      throw new TaskError("model", `${model.name} could not be loaded: status ${response.status}`);
    }
    return response;
  }
}
