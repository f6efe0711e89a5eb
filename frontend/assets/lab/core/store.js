// Scalars as typed arrays, one series a name. Memory is bounded: a full series drops every second point.

/** @import { FrameArray } from "./frames.js" */

const CAPACITY = 4096;
const FIRST_CAPACITY = 256;

export class Series {
  x = new Float64Array(FIRST_CAPACITY);
  y = new Float32Array(FIRST_CAPACITY);
  length = 0;
  stride = 1;
  skipped = 0;
  /** The newest value, kept or not. @type {number | undefined} */
  last = undefined;

  clear() {
    Object.assign(this, new Series());
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  push(x, y) {
    this.last = y;
    if (++this.skipped < this.stride) return;
    this.skipped = 0;
    if (this.length === CAPACITY) this.thin();
    else if (this.length === this.x.length) this.grow();
    this.x[this.length] = x;
    this.y[this.length++] = y;
  }

  grow() {
    const x = new Float64Array(2 * this.length);
    const y = new Float32Array(2 * this.length);
    x.set(this.x);
    y.set(this.y);
    this.x = x;
    this.y = y;
  }

  thin() {
    for (let i = 0; i < this.length / 2; i++) {
      this.x[i] = this.x[2 * i];
      this.y[i] = this.y[2 * i];
    }
    this.length = Math.floor(this.length / 2);
    this.stride *= 2;
  }

  /** The newest value at or before a step; undefined where there is none. @param {number} step */
  at(step) {
    const end = this.#endAt(step);
    return end > 0 ? this.y[end - 1] : undefined;
  }

  /**
   * At most `buckets` points, each the mean of its share of the steps, ending at `untilStep`.
   *
   * @param {number} buckets
   * @param {number} untilStep
   */
  means(buckets, untilStep) {
    const xs = [];
    const ys = [];
    const end = this.#endAt(untilStep);
    const width = Math.max(1, Math.ceil(end / buckets));
    for (let start = 0; start < end; start += width) {
      const stop = Math.min(start + width, end);
      let sum = 0;
      for (let i = start; i < stop; i++) sum += this.y[i];
      xs.push(this.x[stop - 1]);
      ys.push(sum / (stop - start));
    }
    return { xs, ys };
  }

  /** How many points are at or before a step. @param {number} step */
  #endAt(step) {
    let end = this.length;
    while (end > 0 && this.x[end - 1] > step) end--;
    return end;
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
