// Where a step lies on the film and on the chart below it: one axis for both.

import { pictureSteps, picturesTo, stepAfter } from "../core/log_steps.js";

/** A run is given this much room at once, so that the first minute does not race along the axis. */
const LEAST_LAST = 400;

export class Axis {
  /**
   * @param {number} last the newest step
   * @param {number} left px of step 0
   * @param {number} right px of the newest step
   */
  constructor(last, left, right) {
    this.last = last;
    this.left = left;
    this.right = right;
    this.pictures = picturesTo(Math.max(last, LEAST_LAST));
  }

  /** @param {number} step */
  x(step) {
    return this.left + ((this.right - this.left) * picturesTo(Math.max(0, step))) / this.pictures;
  }

  /** The whole step at a place, between 0 and the newest. @param {number} x */
  step(x) {
    const share = Math.max(0, Math.min(1, (x - this.left) / Math.max(1, this.right - this.left)));
    return Math.min(this.last, Math.round(stepAfter(share * this.pictures)));
  }

  /**
   * The pictures that have room beside each other, the newest among them, and how large they may be.
   *
   * @param {number} largest px of a picture
   * @param {number} gap px between two
   * @param {number} smallest px
   */
  shown(largest, gap, smallest) {
    const pitch = (this.right - this.left) / this.pictures;
    let every = 1;
    while (pitch * every < smallest + gap) every += 1;
    const size = Math.floor(Math.min(largest, pitch * every - gap));
    const steps = pictureSteps(this.last);
    const newest = /** @type {number} */ (steps.pop());
    const kept = steps.filter((step, i) => i % every === 0 && this.x(newest) - this.x(step) >= size + gap);
    return { steps: [...kept, newest], size };
  }

  /** The picture before or after a step. @param {number} step @param {1 | -1} direction */
  neighbour(step, direction) {
    const steps = pictureSteps(this.last);
    if (direction > 0) return steps.find((picture) => picture > step) ?? this.last;
    return steps.reverse().find((picture) => picture < step) ?? 0;
  }
}

/** The name of a picture: 71 is 70, 1,131 is 1,130; the newest is called as it is. @param {number} step */
export const pictureName = (step) => (step < 60 ? step : Math.floor(step / 10) * 10);
