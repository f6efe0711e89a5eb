// The frames of one run around the moment shown: the newest as they came, else the stored one, which is fetched.

import { decodeFrame } from "../core/frames.js";
import { reached, runPath } from "../core/requests.js";
import { nearestFrame } from "./align.js";

/** @import { Frame } from "../core/frames.js" */

const KEPT_BYTES = 8_000_000;
const BETWEEN_MS = 250; // two stored frames asked for while a run goes on

export class Reel {
  /** The newest frames, oldest first. @type {Frame[]} */
  #frames = [];
  #bytes = 0;
  /** The stored frame that was fetched last. @type {Frame | null} */
  #stored = null;
  /** The step it was asked for, and the epoch. */
  #asked = { step: -1, epoch: -1 };
  #isBusy = false;
  #lastAsked_ms = -BETWEEN_MS;
  #onCome;

  /** @param {() => void} onCome a stored frame has come */
  constructor(onCome) {
    this.#onCome = onCome;
  }

  clear() {
    this.#frames = [];
    this.#bytes = 0;
    this.#stored = null;
    this.#asked = { step: -1, epoch: -1 };
  }

  /** Take a frame of the run as it comes. @param {Frame} frame */
  add(frame) {
    const last = this.#frames.at(-1);
    if (last && (frame.epoch !== last.epoch || frame.step < last.step)) this.clear();
    else if (last && frame.step === last.step) return;
    this.#frames.push(frame);
    this.#bytes += sizeOf(frame);
    while (this.#bytes > KEPT_BYTES && this.#frames.length > 1) {
      this.#bytes -= sizeOf(/** @type {Frame} */ (this.#frames.shift()));
    }
  }

  /** The newest frame that came. @returns {Frame | null} */
  get newest() {
    return this.#frames.at(-1) ?? null;
  }

  /**
   * The best frame for a step that is at hand. A better one is asked for, if there may be one.
   *
   * @param {{ run_id: string, epoch: number }} run
   * @param {number} step
   * @returns {Frame | null}
   */
  at(run, step) {
    const { newest } = this;
    const oldest = this.#frames[0];
    if (newest && step >= newest.step) return newest;
    if (oldest && step >= oldest.step) return nearestFrame(this.#frames, step);
    this.#ask(run, step);
    return this.#stored ?? oldest ?? null;
  }

  /**
   * @param {{ run_id: string, epoch: number }} run
   * @param {number} step
   */
  async #ask({ run_id, epoch }, step) {
    const isKnown = this.#asked.step === step && this.#asked.epoch === epoch;
    if (this.#isBusy || isKnown || performance.now() - this.#lastAsked_ms < BETWEEN_MS) return;
    this.#isBusy = true;
    this.#asked = { step, epoch };
    this.#lastAsked_ms = performance.now();
    const answer = await reached(`${runPath(run_id)}/moments/${Math.max(0, epoch)}/${step}`);
    const frame = answer?.ok ? decodeFrame(await answer.arrayBuffer()) : null;
    this.#isBusy = false;
    if (!frame || this.#asked.epoch !== epoch) return;
    this.#stored = frame;
    this.#onCome();
  }
}

/** Bytes of a frame's arrays; they are views into one message. @param {Frame} frame */
function sizeOf(frame) {
  let bytes = 0;
  for (const layer of frame.layers) for (const { data } of Object.values(layer ?? {})) bytes += data.byteLength;
  return bytes;
}
