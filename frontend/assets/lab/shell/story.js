// The sentence over the pictures, and the line below it: what this is, or which moment is looked back at.

import { architectureOf } from "../core/architectures.js";
import { count } from "../core/format.js";
import { inWords } from "../core/events.js";
import { statusOf } from "../core/settings.js";
import { WHAT, countLinks, meaning, sentence } from "../core/story.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Run } from "../core/told.js" */

/** Letters that have room on one line. */
const LONG = 72;

/**
 * @param {HTMLElement} host
 * @param {string} text
 */
function say(host, text) {
  if (host.textContent === text) return;
  host.textContent = text;
  host.classList.toggle("is-long", text.length > LONG);
}

/** What is waited for while nothing is drawn. @param {Run} run */
function beforeTheFirst({ status, reason }) {
  if (status === "queued") return inWords(reason) || "A worker process is being started for this run.";
  if (status === "starting") return "A worker loads the images and builds the network.";
  return statusOf(status).active ? "Waiting for the first picture." : "No picture of this run is kept.";
}

export class Story {
  #line;
  #below;
  #model;

  /**
   * @param {Parts} parts
   * @param {Model} model
   */
  constructor(parts, model) {
    this.#model = model;
    this.#line = parts.find("story");
    this.#below = parts.find("story-below");
  }

  /**
   * A few times a second is often enough to read.
   *
   * @param {Frame | null} frame the one that is shown
   * @param {number} layer
   * @param {{ missed: number | null } | null} past whether it is looked back at, and which step a link named instead
   * @param {[string, string] | null} [compared] what is said of two runs instead
   */
  refresh(frame, layer, past, compared = null) {
    const { hello, hasTopology, run } = this.#model;
    if (!hello || !run) {
      say(this.#line, "\u00a0");
      say(this.#below, "\u00a0");
      return;
    }
    const { full, owns } = architectureOf(this.#model);
    if (compared) {
      say(this.#line, compared[0]);
      say(this.#below, compared[1]);
    } else if (!hasTopology) {
      say(this.#line, `${full} has no topology matrix: ${owns}.`);
      say(
        this.#below,
        this.#model.hasRouting && !this.#model.isRecorded
          ? "So no links can be cut; its routing is shown."
          : "So no links can be cut.",
      );
    } else {
      const connection = frame?.layers[Math.min(layer, frame.layers.length - 1)]?.connection;
      const counts = connection && countLinks(connection);
      say(this.#line, counts ? sentence(counts) : beforeTheFirst(run));
      say(this.#below, counts ? meaning(counts) : WHAT);
    }
    if (!past || !frame || compared) return;
    const now = run.status === "running" ? ` Training goes on: step ${count(this.#step)}.` : "";
    const place = this.#model.isOfRun(frame) ? "" : ", before the reset";
    const shown = `Looking back at step ${count(frame.step)}${place}`;
    const { missed } = past;
    if (missed === null) say(this.#below, `${shown}.${now}`);
    else if (missed > this.#step) say(this.#below, `${shown}: the run has not come to step ${count(missed)}.${now}`);
    else say(this.#below, `${shown}, the nearest that is kept to step ${count(missed)}.${now}`);
  }

  get #step() {
    return Math.max(this.#model.store.lastStep, this.#model.run?.step || 0);
  }
}
