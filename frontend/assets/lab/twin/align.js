// Aligning runs by step: which step all show, and the frame that shows it.

/** @import { Frame } from "../core/frames.js" */

/**
 * @typedef {object} Reach how far a run has come
 * @property {number} last its newest step
 * @property {boolean} goesOn whether it trains now
 */

/**
 * The newest step that all can show: that of the slowest run that trains, or the last of all where none does.
 *
 * @param {Reach[]} runs
 */
export function sharedStep(runs) {
  const going = runs.filter(({ goesOn }) => goesOn);
  if (going.length) return Math.min(...going.map(({ last }) => last));
  return Math.max(0, ...runs.map(({ last }) => last));
}

/**
 * The frame nearest to a step.
 *
 * @param {Frame[]} frames oldest first
 * @param {number} step
 * @returns {Frame | null}
 */
export function nearestFrame(frames, step) {
  let [low, high] = [0, frames.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].step <= step) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [frames[low - 1], frames[low]];
  if (!before || !after) return before ?? after ?? null;
  return step - before.step <= after.step - step ? before : after;
}
