// Browsers start no worker for a page that was opened from a file. Here its script runs in a hidden frame of the page, so that search works.
if (location.protocol === "file:")
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.inside = this.frame.contentWindow;
      this.inside.postMessage = (data) => setTimeout(() => this.receive(structuredClone(data)));
      this.loaded = new Promise((resolve) => {
        const script = this.inside.document.createElement("script");
        script.src = url;
        script.onload = resolve;
        this.inside.document.body.append(script);
      });
    }
    receive(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }
    async postMessage(data) {
      const copy = structuredClone(data);
      await this.loaded;
      this.inside.dispatchEvent(new MessageEvent("message", { data: copy }));
    }
    terminate() {
      this.frame.remove();
    }
  };
