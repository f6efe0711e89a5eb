"use strict";
// How fast the page is, measured while it works: for the header, the tests and the bench.
(function (lab) {
  const KEPT = 512;
  const WINDOW_MS = 2000;

  class Ring {
    constructor() {
      this.values = new Float64Array(KEPT);
      this.count = 0;
    }

    push(value) {
      this.values[this.count++ % KEPT] = value;
    }

    quantile(share) {
      const sorted = this.values.slice(0, Math.min(this.count, KEPT)).sort();
      return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
    }
  }

  const latency = new Ring();
  const settling = new Ring();
  const drawing = new Ring();
  const drawnAt = [];

  lab.stats = {
    frames: 0,
    /** A frame was drawn: its age since the end of its step, and what drawing it cost. */
    drawn(frame, took_ms) {
      latency.push(Date.now() - frame.time_ms);
      drawing.push(took_ms);
      drawnAt.push(performance.now());
      this.frames += 1;
    },
    /** A control's change was answered. */
    settled: (took_ms) => settling.push(took_ms),
    get framesPerSecond() {
      const from = performance.now() - WINDOW_MS;
      while (drawnAt.length && drawnAt[0] < from) drawnAt.shift();
      return drawnAt.length / (WINDOW_MS / 1000);
    },
    report() {
      return {
        frames: this.frames,
        frames_per_s: this.framesPerSecond,
        step_to_drawn_p50_ms: latency.quantile(0.5),
        step_to_drawn_p95_ms: latency.quantile(0.95),
        draw_p50_ms: drawing.quantile(0.5),
        draw_p95_ms: drawing.quantile(0.95),
        asked_to_applied_p50_ms: settling.quantile(0.5),
        asked_to_applied_p95_ms: settling.quantile(0.95),
      };
    },
  };
})((window.lab = window.lab || {}));
