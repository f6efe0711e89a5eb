// How fast the page is, measured while it works: for the header, the tests and the bench.

/** @import { Frame } from "./frames.js" */

const KEPT = 512;
const WINDOW_MS = 2000;

class Ring {
  #values = new Float64Array(KEPT);
  #count = 0;

  /** @param {number} value */
  push(value) {
    this.#values[this.#count++ % KEPT] = value;
  }

  /** @param {number} share */
  quantile(share) {
    const sorted = this.#values.slice(0, Math.min(this.#count, KEPT)).sort();
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : NaN;
  }
}

export class Stats {
  frames = 0;
  #latency = new Ring();
  #settling = new Ring();
  #drawing = new Ring();
  /** @type {number[]} */
  #drawnAt = [];

  /**
   * A frame was drawn: its age since the end of its step, and what drawing it cost.
   *
   * @param {Frame} frame
   * @param {number} took_ms
   */
  drawn(frame, took_ms) {
    this.#latency.push(Date.now() - frame.time_ms);
    this.#drawing.push(took_ms);
    this.#drawnAt.push(performance.now());
    this.frames += 1;
  }

  /** A control's change was answered. @param {number} took_ms */
  settled(took_ms) {
    this.#settling.push(took_ms);
  }

  get framesPerSecond() {
    const from = performance.now() - WINDOW_MS;
    while (this.#drawnAt.length && this.#drawnAt[0] < from) this.#drawnAt.shift();
    return this.#drawnAt.length / (WINDOW_MS / 1000);
  }

  report() {
    return {
      frames: this.frames,
      frames_per_s: this.framesPerSecond,
      step_to_drawn_p50_ms: this.#latency.quantile(0.5),
      step_to_drawn_p95_ms: this.#latency.quantile(0.95),
      draw_p50_ms: this.#drawing.quantile(0.5),
      draw_p95_ms: this.#drawing.quantile(0.95),
      asked_to_applied_p50_ms: this.#settling.quantile(0.5),
      asked_to_applied_p95_ms: this.#settling.quantile(0.95),
    };
  }
}

export const stats = new Stats();
