// Conflict of a layer's pairs as the mean of the last steps: one step alone flickers.

/** @import { Frame, FrameArray } from "./frames.js" */

/** Steps that a mean is taken over. */
export const WINDOW_STEPS = 200;

/** Tops that the scale of conflict can have; it moves from one to the next and says so. */
export const TOPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
const SHARE_SHOWN = 0.99; // of the pairs lie under the top
const SLACK = 0.7; // the next lower top must be this empty before it is gone back to

/** A running mean over the frames of the last steps, each value where there was one. */
export class Clashes {
  /** The mean, NaN where no frame of the window had a value. @type {Float32Array} */
  mean = new Float32Array(0);
  /** Steps that the window's frames tell of; step 0 has no gradients yet. */
  steps = 0;
  top = TOPS[2];
  /** @type {{ step: number, data: FrameArray["data"] }[]} */
  #window = [];
  #sums = new Float64Array(0);
  #counts = new Uint32Array(0);
  #epoch = -1;

  clear() {
    this.#window = [];
    this.#sums = new Float64Array(0);
    this.steps = 0;
    this.top = TOPS[2];
  }

  /**
   * Take a frame's conflict into the mean; one of another epoch, or of an earlier step, begins anew.
   *
   * @param {Pick<Frame, "epoch" | "step">} frame
   * @param {FrameArray} conflict
   */
  add({ epoch, step }, { data }) {
    const last = this.#window[this.#window.length - 1];
    if (epoch !== this.#epoch || data.length !== this.#sums.length || (last && step < last.step)) {
      this.clear();
      this.#epoch = epoch;
      this.#sums = new Float64Array(data.length);
      this.#counts = new Uint32Array(data.length);
      this.mean = new Float32Array(data.length);
    } else if (last && step === last.step) return;
    this.#window.push({ step, data });
    this.#weigh(data, 1);
    while (this.#window[0].step <= step - WINDOW_STEPS) this.#weigh(/** @type {any} */ (this.#window.shift()).data, -1);
    for (let i = 0; i < data.length; i++) this.mean[i] = this.#counts[i] ? this.#sums[i] / this.#counts[i] : NaN;
    this.steps = step - Math.max(1, this.#window[0].step) + 1;
    this.top = topOf(this.mean, this.top);
  }

  /**
   * @param {FrameArray["data"]} data
   * @param {1 | -1} sign
   */
  #weigh(data, sign) {
    for (let i = 0; i < data.length; i++) {
      if (Number.isNaN(data[i])) continue;
      this.#sums[i] += sign * data[i];
      this.#counts[i] += sign;
    }
  }
}

/**
 * The top of the scale for some values: the lowest that nearly all lie under, left only when the values clearly have.
 *
 * @param {ArrayLike<number>} values
 * @param {number} before the top in use
 */
export function topOf(values, before) {
  const known = Float64Array.from(values)
    .filter((value) => !Number.isNaN(value))
    .sort();
  if (!known.length) return before;
  const most = known[Math.min(known.length - 1, Math.floor(SHARE_SHOWN * known.length))];
  const fits = TOPS.find((top) => most <= top) ?? 1;
  if (fits >= before) return fits;
  const lower = TOPS[TOPS.indexOf(before) - 1];
  return most <= SLACK * lower ? fits : before;
}
