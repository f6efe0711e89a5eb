// The pictures of the film: what the server has stored of them, then the live frames as they come.

import { pictureSteps, picturesTo } from "../core/log_steps.js";
import { decodeArrays } from "../core/frames.js";
import { lineageOf } from "../core/lineage.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Stretch } from "../core/lineage.js" */

/** @typedef {{ step: number, layers: Uint8Array[] }} Moment sigma(A) of every layer, in 255ths */

/** How far from its step, in pictures, a moment may lie to stand for it. */
const NEAR = 0.35;

export class FilmMoments {
  /** Oldest first. @type {Moment[]} */
  all = [];
  /** The live frame. @type {Moment | null} */
  newest = null;
  /** Newest first. @type {Stretch[]} */
  lineage = [];

  /** @param {number} epoch the one that begins */
  clear(epoch) {
    this.all = [];
    this.newest = null;
    this.lineage = [{ epoch, upto: Infinity }];
  }

  /**
   * Take what the server has stored; moments that came live since stay.
   *
   * @param {ArrayBuffer} message of kind `film`
   */
  take(message) {
    const { meta, arrays } = decodeArrays(message);
    const steps = arrays.get("steps");
    if (!steps) return;
    this.lineage = lineageOf(arrays.get("lineage") || null, meta.epoch);
    /** @type {Moment[]} */
    const stored = Array.from(steps.data, (step) => ({ step, layers: [] }));
    for (const [name, { cols, data }] of arrays) {
      const found = /^layer(\d+)\/connection$/.exec(name);
      if (!found || !(data instanceof Uint8Array)) continue;
      for (const [row, moment] of stored.entries()) {
        moment.layers[Number(found[1])] = data.subarray(row * cols, (row + 1) * cols);
      }
    }
    const last = stored.at(-1)?.step ?? -1;
    this.all = [...stored, ...this.all.filter((moment) => moment.step > last)];
  }

  /** @param {Frame} frame the newest */
  follow(frame) {
    const before = this.newest?.step ?? -1;
    this.newest = momentOf(frame);
    if (!this.all.length || pictureBetween(Math.max(before, this.all[this.all.length - 1].step), frame.step)) {
      this.all.push(this.newest);
    }
  }

  /** The moment that stands for a picture's step, or none. @param {number} step @returns {Moment | null} */
  near(step) {
    if (this.newest && this.newest.step === step) return this.newest;
    /** @type {Moment | null} */
    let best = null;
    let least = NEAR;
    for (const moment of this.all) {
      const distance = Math.abs(picturesTo(moment.step) - picturesTo(step));
      if (distance < least) [best, least] = [moment, distance];
    }
    return best;
  }
}

/** Whether a picture's step was passed. @param {number} after @param {number} upto */
function pictureBetween(after, upto) {
  const steps = pictureSteps(upto + 1);
  return steps.some((step) => step > after && step <= upto);
}

/** A frame's sigma(A), as the film has it. @param {Frame} frame @returns {Moment} */
export function momentOf(frame) {
  const layers = frame.layers.map((layer) =>
    layer?.connection ? Uint8Array.from(layer.connection.data, (value) => Math.round(255 * value)) : new Uint8Array(0),
  );
  return { step: frame.step, layers };
}
