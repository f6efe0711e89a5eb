// The moment looked back at: a stored frame that is shown until someone goes back to live. It can be played.

import { decodeFrame } from "../core/frames.js";
import { picturesTo, stepAfter } from "../core/log_steps.js";
import { reached, runPath } from "../core/requests.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */

/** @typedef {{ epoch: number, step: number }} Wanted */

export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];

export class Scrubber {
  /** The frame looked back at. @type {Frame | null} */
  pinned = null;
  /** The step that a link asked for, where another is the nearest that is kept. @type {number | null} */
  missed = null;
  /** Pictures of the film a second. */
  speed = 1;
  /** The moment that was last asked for and is not yet shown. @type {Wanted | null} */
  #wanted = null;
  /** The step that led to the frame looked back at: the arrow keys go on from there. @type {number | null} */
  #asked = null;
  /** The step that was asked for, where the run has not come so far: one beside it may have. @type {number | null} */
  #beyond = null;
  #busy = false;
  /** Grows when someone goes back to live, so that an answer under way is not shown. */
  #visit = 0;
  /** What is played: where it is, in pictures, and when that was. @type {{ pictures: number, at_ms: number } | null} */
  #playing = null;
  #model;
  #onPin;

  /**
   * @param {Model} model
   * @param {(frame: Frame | null) => void} onPin shows a stored frame, or with null the live one again
   */
  constructor(model, onPin) {
    this.#model = model;
    this.#onPin = onPin;
  }

  /** Where one looks, or is about to; null for live. */
  get step() {
    return this.#wanted?.step ?? (this.pinned && this.#beyond) ?? this.pinned?.step ?? null;
  }

  /** The step last asked for, also where the nearest kept is another; null for live. */
  get asked() {
    return this.#wanted?.step ?? (this.pinned && this.#asked);
  }

  get isPlaying() {
    return this.#playing !== null;
  }

  live() {
    this.missed = null;
    this.#wanted = null;
    this.#visit += 1;
    this.#playing = null;
    const before = this.pinned;
    this.pinned = null;
    if (before) this.#onPin(null);
  }

  /**
   * Show the stored frame nearest to a step of an epoch, of the present one if none is named. Moments asked for while
   * another is on its way are left out, but for the last.
   *
   * @param {number} step
   * @param {number} [epoch]
   */
  async seekStep(step, epoch) {
    const { run } = this.#model;
    if (!run) return;
    this.missed = null;
    this.#wanted = { step, epoch: epoch ?? run.epoch };
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted) {
      /** @type {Wanted} */
      const wanted = this.#wanted;
      const visit = this.#visit;
      const frame = await this.#fetch(wanted);
      if (visit !== this.#visit) continue; // live was asked for meanwhile, and perhaps another moment after that
      if (this.#wanted === wanted) this.#wanted = null;
      if (!frame) continue;
      this.pinned = frame;
      this.#asked = wanted.step;
      this.#beyond = wanted.step > this.#model.store.lastStep ? wanted.step : null;
      this.#onPin(frame);
    }
    this.#busy = false;
  }

  /** Show the moment that a link names; where it is not kept, `missed` says so. @param {number} step */
  async seekLinked(step) {
    await this.seekStep(step);
    if (!this.pinned || this.pinned.step === step) return;
    this.missed = step;
    this.#onPin(this.pinned);
  }

  /** Play from where one looks, or from the beginning; or stop. @param {number} now_ms */
  playOrStop(now_ms) {
    this.#playing = this.#playing ? null : { pictures: picturesTo(this.step ?? 0), at_ms: now_ms };
  }

  stop() {
    this.#playing = null;
  }

  /**
   * Play on.
   *
   * @param {number} now_ms
   * @param {number} last the newest step
   */
  tick(now_ms, last) {
    const playing = this.#playing;
    if (!playing) return;
    playing.pictures += (this.speed * (now_ms - playing.at_ms)) / 1000;
    playing.at_ms = now_ms;
    const step = Math.round(stepAfter(playing.pictures));
    if (step >= last) this.live();
    else if (step !== this.step && !this.#busy) this.seekStep(step);
  }

  /** @param {Wanted} wanted */
  async #fetch({ epoch, step }) {
    const { run } = this.#model;
    const response = run && (await reached(`${runPath(run.run_id)}/moments/${epoch}/${step}`));
    return response?.ok ? decodeFrame(await response.arrayBuffer()) : null;
  }
}
