/** Keeps the screen on, notices when the page is out of sight, and asks before it is closed. */

export class Awake {
  #lock: WakeLockSentinel | null = null;
  #wanted = false;
  // When the page was last out of sight.
  #hidden = Number.NEGATIVE_INFINITY;

  constructor() {
    document.addEventListener("visibilitychange", () => {
      this.#hidden = performance.now();
      // The browser takes the lock back when the page is hidden.
      if (document.visibilityState === "visible" && this.#wanted) void this.#take();
    });
  }

  /** Holds the screen on until it is let go; whether the browser does it. */
  async hold(): Promise<boolean> {
    this.#wanted = true;
    addEventListener("beforeunload", ask);
    return this.#take();
  }

  release(): void {
    this.#wanted = false;
    removeEventListener("beforeunload", ask);
    void this.#lock?.release();
    this.#lock = null;
  }

  /** Whether the page has been in sight since then, a time of `performance.now`. */
  seenSince(then: number): boolean {
    return document.visibilityState === "visible" && this.#hidden < then;
  }

  async #take(): Promise<boolean> {
    try {
      this.#lock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      // Refused, as with a low battery: the page says so.
      this.#lock = null;
    }
    return this.#lock !== null;
  }
}

function ask(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
