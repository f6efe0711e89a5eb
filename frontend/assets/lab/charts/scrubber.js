// The way back in time: a slider over the stored frames. A picked frame is shown until "Live" or End.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { decodeFrame } from "../core/frames.js";
import { reached, runPath } from "../core/requests.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

const MOST_TRIES = 10;
const LAST_SEQ = 2 ** 31 - 1; // the server gives the newest frame at or before it

export class Scrubber {
  /** The frame looked back at. @type {Frame | null} */
  pinned = null;
  /** The number that was last asked for and is not yet shown. @type {number | null} */
  #wanted = null;
  #busy = false;
  /** Grows when someone goes back to live, so that an answer under way is not shown. */
  #visit = 0;
  #host;
  #model;
  #onPin;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {(frame: Frame | null) => void} onPin shows a stored frame, or with null the live one again
   */
  constructor(parts, model, onPin) {
    this.#model = model;
    this.#onPin = onPin;
    this.#host = parts.find("scrubber");
    const id = parts.id("scrub");
    this.range = element("input", {
      type: "range",
      id,
      min: "0",
      max: "0",
      value: "0",
      step: "1",
      disabled: true,
      dataset: { part: "scrub" },
    });
    this.range.setAttribute("aria-label", "Moment shown");
    this.output = element("output", { textContent: "live" });
    this.output.setAttribute("for", id);
    const icon = element("span", { className: "icon icon-live" });
    this.button = element(
      "button",
      { type: "button", className: "button", title: "Back to live (End)", disabled: true },
      icon,
      "Live",
    );
    this.#host.append(this.range, this.output, this.button);
    this.range.addEventListener("input", () => this.#want(Number(this.range.value)));
    this.button.addEventListener("click", () => this.live());
  }

  /** Follow the newest frame. @param {Frame} frame */
  follow(frame) {
    this.range.disabled = false;
    this.range.max = String(frame.seq);
    if (!this.pinned) this.range.value = String(frame.seq);
    this.#fill();
  }

  live() {
    this.#wanted = null;
    this.#visit += 1;
    const before = this.pinned;
    this.pinned = null;
    this.range.value = this.range.max;
    this.#show();
    if (before) this.#onPin(null);
  }

  /**
   * Show the newest stored frame at or before a step of an epoch, of the present one if none is named.
   * Frames are numbered, so the number is searched for.
   *
   * @param {number} step
   * @param {number} [epoch]
   */
  async seekStep(step, epoch) {
    const newest = this.#model.frame;
    if (!newest || this.#busy) return;
    this.#busy = true;
    const visit = this.#visit;
    const found = await this.#search(newest, step, epoch === undefined ? newest.epoch : epoch);
    this.#busy = false;
    if (found && visit === this.#visit) this.#pin(found, found.epoch !== newest.epoch);
  }

  /**
   * @param {Frame} live
   * @param {number} step
   * @param {number} epoch
   */
  async #search(live, step, epoch) {
    const newest = epoch === live.epoch ? live : await this.#fetch(LAST_SEQ, epoch);
    if (!newest) return null;
    if (newest.step <= step && newest !== live) return newest;
    let [low, high] = [
      { seq: 0, step: 0 },
      { seq: newest.seq, step: newest.step },
    ];
    let found = null;
    for (let tries = 0; tries < MOST_TRIES && high.seq - low.seq > 1; tries++) {
      const share = high.step > low.step ? (step - low.step) / (high.step - low.step) : 0.5;
      const guess = Math.min(high.seq - 1, Math.max(low.seq + 1, Math.round(low.seq + share * (high.seq - low.seq))));
      const frame = await this.#fetch(guess, epoch);
      if (!frame) break;
      if (frame.step <= step) {
        found = frame;
        low = { seq: guess, step: frame.step };
      } else high = { seq: guess, step: frame.step };
    }
    return found || this.#fetch(low.seq, epoch);
  }

  /** @param {number} seq */
  async #want(seq) {
    this.#wanted = seq;
    this.#fill();
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted !== null && this.#model.run) {
      const next = this.#wanted;
      this.#wanted = null;
      const visit = this.#visit;
      const frame = await this.#fetch(next, this.#model.run.epoch);
      if (frame && visit === this.#visit) this.#pin(frame, true);
    }
    this.#busy = false;
  }

  /**
   * @param {number} seq
   * @param {number} epoch
   */
  async #fetch(seq, epoch) {
    const { run } = this.#model;
    const response = run && (await reached(`${runPath(run.run_id)}/frames/${epoch}/${seq}`));
    return response?.ok ? decodeFrame(await response.arrayBuffer()) : null;
  }

  /**
   * @param {Frame} frame
   * @param {boolean} keepThumb
   */
  #pin(frame, keepThumb) {
    this.pinned = frame;
    if (!keepThumb) this.range.value = String(frame.seq);
    this.#show();
    this.#onPin(frame);
  }

  #show() {
    const { pinned } = this;
    this.button.disabled = !pinned;
    this.output.textContent = pinned ? `step ${count(pinned.step)}` : "live";
    this.range.setAttribute("aria-valuetext", this.output.textContent);
    this.#host.classList.toggle("is-pinned", pinned !== null);
    this.#fill();
  }

  #fill() {
    const most = Number(this.range.max);
    this.range.style.setProperty("--fill", most ? `${(100 * Number(this.range.value)) / most}%` : "0%");
  }
}
