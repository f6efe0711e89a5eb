// The difference of two topologies at the same step: B minus A, link by link.

import { colours } from "../core/colours.js";
import { CUT } from "../core/story.js";
import { LABEL_WIDTH, block, expert } from "../pictures/picture.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Matrix } from "../pictures/matrix.js" */

/** Below this a difference of sigma(A) is not written. */
export const SMALL = 0.05;
const STRONG = 0.3;

/**
 * @typedef {object} Differences
 * @property {number} rows
 * @property {number} cols
 * @property {Float32Array} data sigma(A) of B minus that of A, -1 to 1
 * @property {number} cutInA links that are cut in A alone
 * @property {number} cutInB in B alone
 * @property {number} cutInBoth
 * @property {number} mean of the sizes
 */

/**
 * Subtract; null where the two have not the same experts and blocks.
 *
 * @param {FrameArray | undefined} a sigma(A) [experts, blocks]
 * @param {FrameArray | undefined} b
 * @returns {Differences | null}
 */
export function differenceOf(a, b) {
  if (!a || !b || a.rows !== b.rows || a.cols !== b.cols) return null;
  const data = new Float32Array(a.data.length);
  let [cutInA, cutInB, cutInBoth, sum] = [0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    data[i] = b.data[i] - a.data[i];
    sum += Math.abs(data[i]);
    const [isCutInA, isCutInB] = [a.data[i] < CUT, b.data[i] < CUT];
    if (isCutInA && isCutInB) cutInBoth += 1;
    else if (isCutInA) cutInA += 1;
    else if (isCutInB) cutInB += 1;
  }
  return { rows: a.rows, cols: a.cols, data, cutInA, cutInB, cutInBoth, mean: sum / data.length };
}

/** A difference with its sign: +.41, −.07 @param {number} value */
export const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2).replace(/^0/, "")}`;

/**
 * The links that differ most, the largest first.
 *
 * @param {Differences} found
 * @param {number} most
 */
export function largest({ cols, data }, most) {
  return Array.from(data, (value, i) => ({ value, row: Math.floor(i / cols), col: i % cols }))
    .filter(({ value }) => Math.abs(value) >= SMALL)
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, most);
}

/**
 * @param {Differences} found
 * @param {FrameArray} a
 * @param {FrameArray} b
 * @returns {Matrix}
 */
export function differenceMatrix(found, a, b) {
  const { rows, cols, data } = found;
  /** @param {number} r @param {number} c */
  const at = (r, c) => data[r * cols + c];
  return {
    rows,
    cols,
    labelWidth: LABEL_WIDTH,
    rowLabels: expert,
    colLabels: block,
    scale: () => colours.difference,
    level: (r, c) => Math.round(127.5 + 127.5 * Math.max(-1, Math.min(1, at(r, c)))),
    text: (r, c) => (Math.abs(at(r, c)) < SMALL ? "" : signed(at(r, c))),
    isOwn: (r, c) => rows === cols && r === c,
    isStrong: (r, c) => Math.abs(at(r, c)) >= STRONG,
    read: (r, c) => {
      const [own, other] = [a.data[r * cols + c], b.data[r * cols + c]];
      return `E${r} to B${c}: σ(A) ${own.toFixed(3)} in A, ${other.toFixed(3)} in B, ${signed(other - own)}`;
    },
    summary: () => {
      const [first] = largest(found, 1);
      if (!first) return "No link differs by .05 or more.";
      return `Largest ${signed(first.value)}, E${first.row} to B${first.col}. Mean size ${found.mean.toFixed(3)}.`;
    },
  };
}
