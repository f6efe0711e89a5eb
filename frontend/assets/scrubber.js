"use strict";
// The way back in time: a slider over the stored frames. A picked frame is shown until "Live" or End.
(function (lab) {
  const MOST_TRIES = 10;
  const LAST_SEQ = 2 ** 31 - 1; // the server gives the newest frame at or before it

  class Scrubber {
    /** `onPin(frame)` shows a stored frame, `onPin(null)` goes back to live. */
    constructor(model, onPin) {
      this.model = model;
      this.onPin = onPin;
      this.pinned = null;
      this.wanted = null;
      this.busy = false;
      this.visit = 0;
      const host = document.getElementById("scrubber");
      host.innerHTML = `
        <input type="range" id="scrub" min="0" max="0" value="0" step="1" aria-label="Moment shown" disabled>
        <output id="scrub-step" for="scrub">live</output>
        <button type="button" id="scrub-live" class="button" title="Back to live (End)" disabled><span class="icon icon-live"></span>Live</button>`;
      [this.range, this.output, this.button] = ["scrub", "scrub-step", "scrub-live"].map((id) => document.getElementById(id));
      this.range.addEventListener("input", () => this.#want(Number(this.range.value)));
      this.button.addEventListener("click", () => this.live());
    }

    /** Follow the newest frame. */
    follow(frame) {
      this.range.disabled = false;
      this.range.max = String(frame.seq);
      if (!this.pinned) {
        this.range.value = String(frame.seq);
        this.range.style.setProperty("--fill", "100%");
      } else this.#fill();
    }

    live() {
      this.wanted = null;
      this.visit += 1;
      if (!this.pinned) {
        this.range.value = this.range.max;
        this.#fill();
        return;
      }
      this.pinned = null;
      this.range.value = this.range.max;
      this.#show();
      this.onPin(null);
    }

    /**
     * Show the newest stored frame at or before a step of an epoch, of the present one if none is named.
     * Frames are numbered, so the number is searched for.
     */
    async seekStep(step, epoch) {
      if (!this.model.frame || this.busy) return;
      this.busy = true;
      const { visit } = this;
      const found = await this.#search(step, epoch === undefined ? this.model.frame.epoch : epoch);
      this.busy = false;
      if (found && visit === this.visit) this.#pin(found, found.epoch !== this.model.frame.epoch);
    }

    async #search(step, epoch) {
      const newest = epoch === this.model.frame.epoch ? this.model.frame : await this.#fetch(LAST_SEQ, epoch);
      if (!newest) return null;
      if (newest.step <= step && newest !== this.model.frame) return newest;
      let [low, high] = [{ seq: 0, step: 0 }, { seq: newest.seq, step: newest.step }];
      let found = null;
      for (let tries = 0; tries < MOST_TRIES && high.seq - low.seq > 1; tries++) {
        const share = high.step > low.step ? (step - low.step) / (high.step - low.step) : 0.5;
        const guess = Math.min(high.seq - 1, Math.max(low.seq + 1, Math.round(low.seq + share * (high.seq - low.seq))));
        const frame = await this.#fetch(guess, epoch);
        if (!frame) break;
        if (frame.step <= step) {
          found = frame;
          low = { seq: guess, step: frame.step };
        } else high = { seq: guess, step: frame.step };
      }
      return found || this.#fetch(low.seq, epoch);
    }

    async #want(seq) {
      this.wanted = seq;
      this.#fill();
      if (this.busy) return;
      this.busy = true;
      while (this.wanted !== null) {
        const next = this.wanted;
        this.wanted = null;
        const { visit } = this;
        const frame = await this.#fetch(next, this.model.run.epoch);
        if (frame && visit === this.visit) this.#pin(frame, true);
      }
      this.busy = false;
    }

    async #fetch(seq, epoch) {
      const { run } = this.model;
      let response;
      try {
        response = await fetch(`/api/runs/${encodeURIComponent(run.run_id)}/frames/${epoch}/${seq}`);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // fetch says TypeError when the server is away
        return null;
      }
      return response.ok ? lab.decodeFrame(await response.arrayBuffer()) : null;
    }

    #pin(frame, keepThumb) {
      this.pinned = frame;
      if (!keepThumb) this.range.value = String(frame.seq);
      this.#show();
      this.onPin(frame);
    }

    #show() {
      const { pinned } = this;
      this.button.disabled = !pinned;
      this.output.textContent = pinned ? `step ${lab.format.count(pinned.step)}` : "live";
      this.range.setAttribute("aria-valuetext", this.output.textContent);
      document.getElementById("scrubber").classList.toggle("is-pinned", Boolean(pinned));
      this.#fill();
    }

    #fill() {
      const most = Number(this.range.max) || 1;
      this.range.style.setProperty("--fill", `${(100 * Number(this.range.value)) / most}%`);
    }
  }

  lab.Scrubber = Scrubber;
})((window.lab = window.lab || {}));
