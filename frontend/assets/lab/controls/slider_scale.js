// What a control's values are: its scale from slider positions, the steps of its keys, and what can be typed.

import { decimal, setting } from "../core/format.js";

/** @import { ControlSpec } from "../core/settings.js" */

export const POSITIONS = 1000;

/** Whether a key moves up, for those that move. @type {Record<string, boolean>} */
const UPWARD = {
  ArrowRight: true,
  ArrowUp: true,
  PageUp: true,
  ArrowLeft: false,
  ArrowDown: false,
  PageDown: false,
};

export class SliderScale {
  #spec;
  /** Lowest value above zero that a logarithmic slider reaches. */
  #floor;
  #ratio;

  /** @param {Pick<ControlSpec, "label" | "scale" | "low" | "high" | "decades">} spec */
  constructor(spec) {
    this.#spec = spec;
    this.#floor = spec.scale === "log0" ? spec.high * 10 ** -spec.decades : spec.low;
    this.#ratio = Math.log(spec.high / this.#floor);
  }

  /** The value at a position, 0 to POSITIONS. @param {number} position */
  value(position) {
    const { scale, low, high } = this.#spec;
    if (scale === "linear") return low + ((high - low) * position) / POSITIONS;
    if (scale === "log0" && position <= 0) return 0;
    return this.#floor * Math.exp((this.#ratio * position) / POSITIONS);
  }

  /** The position of a value, between 0 and POSITIONS, a fraction. @param {number} value */
  position(value) {
    const { scale, low, high } = this.#spec;
    const share =
      scale === "linear"
        ? (value - low) / (high - low)
        : value <= this.#floor
          ? 0
          : Math.log(value / this.#floor) / this.#ratio;
    return Math.max(0, Math.min(POSITIONS, share * POSITIONS));
  }

  /** The value at a position, with as few digits as a person would choose. @param {number} position */
  rounded(position) {
    const { scale, high } = this.#spec;
    if (position >= POSITIONS) return high;
    const value = this.value(position);
    return scale === "linear" ? Math.round(value * 100) / 100 : Number(value.toPrecision(2));
  }

  /**
   * The value that a key moves to: arrows to the next one that differs, Page by a tenth; undefined for other keys.
   *
   * @param {string} key
   * @param {number} from the value shown
   */
  byKey(key, from) {
    const { low, high } = this.#spec;
    if (key === "Home") return low;
    if (key === "End") return high;
    const up = UPWARD[key];
    if (up === undefined) return undefined;
    const stride = (up ? 1 : -1) * (key.startsWith("Page") ? POSITIONS / 10 : 1);
    let position = Math.round(this.position(from));
    while (up ? position < POSITIONS : position > 0) {
      position = Math.max(0, Math.min(POSITIONS, position + stride));
      const value = this.rounded(position);
      if (up ? value > from : value < from) return value;
    }
    return up ? high : low;
  }

  /**
   * What a person typed, as a value or as a sentence that says why it is none.
   *
   * @param {string} typed
   * @returns {{ value: number, problem: null } | { value: null, problem: string }}
   */
  read(typed) {
    const { label, low, high } = this.#spec;
    const text = typed.trim().replace(/\s*×$/, "");
    const value = decimal(text);
    const found = text.slice(0, 20) || "nothing";
    if (value === null && text.includes(",")) {
      return {
        value,
        problem: `${label} must be written with a decimal point and without thousands separators. Found ${found}.`,
      };
    }
    if (value === null || value < low || value > high) {
      return { value: null, problem: `${label} must be ${setting(low)} to ${setting(high)}. Found ${found}.` };
    }
    return { value, problem: null };
  }
}
