/*
 * Lets pages that were opened as files search. Browsers give such pages no workers, so what would
 * be a worker's script runs in a hidden frame of the page. The generator knows the file's name:
 * any other would have it load one of its own choice from elsewhere.
 */
if (location.protocol === "file:") {
  window.Worker = class {
    onmessage = null;
    onerror = null;
    onmessageerror = null;
    #frame = document.createElement("iframe");
    #waiting = [];

    constructor(address) {
      this.#frame.hidden = true;
      document.documentElement.append(this.#frame);
      const inside = this.#frame.contentWindow;
      inside.postMessage = (data) => this.onmessage?.(new MessageEvent("message", { data }));
      const script = inside.document.createElement("script");
      script.src = new URL(address, document.baseURI).href;
      script.onerror = (event) => this.onerror?.(event);
      script.onload = () => {
        const waiting = this.#waiting;
        this.#waiting = null;
        for (const data of waiting) this.#tell(data);
      };
      inside.document.documentElement.append(script);
    }

    postMessage(data) {
      if (this.#waiting === null) this.#tell(data);
      else this.#waiting.push(data);
    }

    terminate() {
      this.#frame.remove();
    }

    // As a worker's messages come: after what is running now.
    #tell(data) {
      setTimeout(() => {
        this.#frame.contentWindow?.dispatchEvent(new MessageEvent("message", { data }));
      });
    }
  };
}
