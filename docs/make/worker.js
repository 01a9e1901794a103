// A page that was opened from a folder may start no Worker; search wants one. A frame runs its script.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      (document.body || document.documentElement).append(this.frame);
      const inner = this.frame.contentWindow;
      inner.postMessage = (data) => this.later(data, () => this);
      const script = inner.document.createElement("script");
      script.src = new URL(url, location.href).href;
      script.onload = () => {
        this.ready = inner;
        this.waiting.splice(0).forEach((data) => this.postMessage(data));
      };
      script.onerror = (event) => this.onerror?.(event);
      inner.document.body.append(script);
    }
    postMessage(data) {
      if (this.ready) this.later(data, () => this.ready);
      else this.waiting.push(data);
    }
    // Each side has a copy of its own (HTML, 9.4.4): what one changes in it, the other must not see.
    later(data, whose) {
      const copy = structuredClone(data);
      setTimeout(() => whose().onmessage?.({ data: copy }));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
