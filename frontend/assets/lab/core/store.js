// Scalars as typed arrays, one series a name. Memory grows with the logarithm of the steps: each point is the mean of
// what was measured within a hundredth of a picture of the film.

import { picturesTo } from "./log_steps.js";

/** @import { FrameArray } from "./frames.js" */

const FIRST_CAPACITY = 256;
const POINT = 0.01; // pictures

export class Series {
  /** The last step of each point. */
  x = new Float64Array(FIRST_CAPACITY);
  /** The mean of its values. */
  y = new Float64Array(FIRST_CAPACITY);
  /** How many those are. */
  n = new Uint32Array(FIRST_CAPACITY);
  length = 0;
  /** The newest value. @type {number | undefined} */
  last = undefined;
  /** Where the newest point begins, in pictures. */
  #begun = -Infinity;

  clear() {
    this.length = 0;
    this.last = undefined;
    this.#begun = -Infinity;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  push(x, y) {
    this.last = y;
    const place = picturesTo(x);
    const newest = this.length - 1;
    if (place - this.#begun < POINT) {
      this.x[newest] = x;
      this.y[newest] += (y - this.y[newest]) / (this.n[newest] += 1);
      return;
    }
    this.#begun = place;
    if (this.length === this.x.length) this.#grow();
    this.x[this.length] = x;
    this.y[this.length] = y;
    this.n[this.length++] = 1;
  }

  #grow() {
    const x = new Float64Array(2 * this.length);
    const y = new Float64Array(2 * this.length);
    const n = new Uint32Array(2 * this.length);
    x.set(this.x);
    y.set(this.y);
    n.set(this.n);
    Object.assign(this, { x, y, n });
  }

  /** The newest value at or before a step; undefined where there is none. @param {number} step */
  at(step) {
    const end = this.#endAt(step);
    return end > 0 ? this.y[end - 1] : undefined;
  }

  /**
   * Every point as the mean of what was measured in the last so many steps before it.
   *
   * @param {number} steps
   */
  trailing(steps) {
    const xs = new Array(this.length);
    const ys = new Array(this.length);
    let [start, sum, many] = [0, 0, 0];
    for (let i = 0; i < this.length; i++) {
      sum += this.y[i] * this.n[i];
      many += this.n[i];
      for (; start < i && this.x[start] <= this.x[i] - steps; start++) {
        sum -= this.y[start] * this.n[start];
        many -= this.n[start];
      }
      xs[i] = this.x[i];
      ys[i] = sum / many;
    }
    return { xs, ys };
  }

  /** How many points are at or before a step. @param {number} step */
  #endAt(step) {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[middle] <= step) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class Store {
  /** @type {Map<string, Series>} */
  series = new Map();
  lastStep = -1;
  /** Steps that were not followed by the next one. */
  gaps = 0;

  clear() {
    for (const series of this.series.values()) series.clear();
    this.lastStep = -1;
    this.gaps = 0;
  }

  /** @param {string} name */
  get(name) {
    let series = this.series.get(name);
    if (!series) this.series.set(name, (series = new Series()));
    return series;
  }

  /**
   * Add rows. `thinned` rows come from a snapshot and may leave steps out; others must follow on.
   *
   * @param {string[]} names
   * @param {FrameArray | null} table
   * @param {boolean} thinned
   */
  append(names, table, thinned) {
    if (!table || !names.length) return;
    if (table.cols !== names.length) throw new Error(`Scalars must have ${names.length} columns. Found ${table.cols}.`);
    const columns = names.map((name) => this.get(name));
    for (let row = 0; row < table.rows; row++) {
      const start = row * table.cols;
      const step = table.data[start];
      if (step <= this.lastStep) continue;
      if (!thinned && this.lastStep >= 0 && step !== this.lastStep + 1) this.gaps += 1;
      this.lastStep = step;
      for (let c = 0; c < table.cols; c++) {
        const value = table.data[start + c];
        if (!Number.isNaN(value)) columns[c].push(step, value);
      }
    }
  }
}
