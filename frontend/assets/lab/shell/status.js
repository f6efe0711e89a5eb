// What the run does, how fast, where, for how long, and for how many people; the connection banner.

import { announce } from "../core/announcer.js";
import { architectureOf } from "../core/architectures.js";
import { clock, count, duration } from "../core/format.js";
import { recordedName } from "../core/recorded.js";
import { statusOf } from "../core/settings.js";
import { stats } from "../core/stats.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

const QUIET_MS = 400; // a reconnect shorter than this is not worth a banner
const TELL_WHY = ["failed", "interrupted", "running", "paused"]; // the last two have a reason where nothing of them comes

const FACTS = ["chip-model", "chip-step", "chip-total", "chip-speed", "chip-device", "chip-watching"];

/**
 * @param {HTMLElement} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Status {
  /** @type {number | null} */
  #lostSince_ms = null;
  #said = "";
  #parts;
  #model;
  #pinned;
  #onTitle;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {() => Frame | null} pinned the frame looked back at
   * @param {(title: string) => void} onTitle is told what the run is and does, in few words
   */
  constructor(parts, model, pinned, onTitle) {
    this.#parts = parts;
    this.#model = model;
    this.#pinned = pinned;
    this.#onTitle = onTitle;
  }

  /** @param {"open" | "lost"} state */
  connection(state) {
    if (state === "open") this.#lostSince_ms = null;
    else if (this.#lostSince_ms === null) this.#lostSince_ms = Date.now();
    this.refresh();
  }

  /** A few times a second, and at every change of the run. */
  refresh() {
    const { run } = this.#model;
    const pinned = this.#pinned();
    const lost_ms =
      this.#lostSince_ms !== null && Date.now() - this.#lostSince_ms > QUIET_MS ? this.#lostSince_ms : null;
    const lost = lost_ms !== null;
    const status = run && statusInWords(run);
    this.#banner(run, lost_ms);
    this.#parts.root.classList.toggle("is-stale", lost);
    this.#parts.root.classList.toggle("is-pinned", pinned !== null);
    this.#parts.find("chip-main").dataset.state = lost ? "trouble" : pinned ? "pinned" : status ? status.mark : "idle";
    this.#say(lost ? "Connection lost" : status ? status.words : "No run");
    if (!run || !status) {
      this.#show("chip-words", lost ? "No connection" : "No run");
      for (const name of FACTS) this.#show(name, "");
      return;
    }
    this.#show("chip-words", lost ? "Connection lost" : pinned ? this.#lookingBack(pinned) : status.words);
    const step = this.#progress(run, pinned);
    this.#show("chip-step", step);
    this.#show("chip-total", step && !pinned && run.total_steps ? ` of ${count(run.total_steps)}` : "");
    this.#show("chip-speed", speedOf(run));
    this.#show("chip-device", this.#device(run));
    this.#show("chip-watching", run.viewers > 1 ? `${count(run.viewers)} watching` : "");
    this.#show("chip-model", `${nameOf(run)}${this.#model.beside}`);
    this.#onTitle(`${status.words} · ${architectureOf(this.#model).name}`);
  }

  /**
   * @param {string} part
   * @param {string} text
   */
  #show(part, text) {
    setText(this.#parts.find(part), text);
  }

  /** Tell screen readers what changed, not every step. @param {string} words */
  #say(words) {
    if (words !== this.#said) announce(words);
    this.#said = words;
  }

  /** The newest step that is known. @param {Run} run */
  #step(run) {
    return Math.max(this.#model.store.lastStep, run.step || 0);
  }

  /**
   * @param {Run} run
   * @param {Frame | null} pinned
   */
  #progress(run, pinned) {
    const step = pinned ? pinned.step : this.#step(run);
    return step === 0 && !pinned && run.status !== "running" ? "" : `step ${count(step)}`;
  }

  /** @param {Frame} pinned */
  #lookingBack(pinned) {
    return this.#model.isOfRun(pinned) ? "Looking back" : "Looking back, before the reset";
  }

  /** @param {Run} run */
  #device(run) {
    const { device } = run;
    const parts = [];
    if (device) {
      const threads = device.threads ? `${device.threads} ${device.threads === 1 ? "thread" : "threads"}` : "";
      parts.push(
        device.kind === "cpu" ? ["on a CPU", threads].filter(Boolean).join(", ") : `on ${device.name || device.kind}`,
      );
    }
    const left_s = (run.total_steps - this.#step(run)) / (run.steps_per_s || 0);
    if (run.status === "running" && Number.isFinite(left_s) && left_s > 0) parts.push(`${duration(left_s)} left`);
    return parts.join(" · ");
  }

  /**
   * @param {Run | null} run
   * @param {number | null} lost_ms since when the connection is lost
   */
  #banner(run, lost_ms) {
    const banner = this.#parts.find("banner");
    const { frame } = this.#model;
    let text = "";
    if (lost_ms !== null) {
      const age = frame ? ` The pictures are as of ${clock(frame.time_ms)}, step ${count(frame.step)}.` : "";
      text = `Connection lost at ${clock(lost_ms)}.${age} Trying again…`;
    } else if (run && TELL_WHY.includes(run.status)) text = run.reason || "";
    banner.hidden = !text;
    this.#parts.find("story-below").hidden = text !== ""; // it takes the line's place: nothing moves
    setText(banner, text);
  }
}

/** @param {Run} run */
function statusInWords(run) {
  const status = statusOf(run.status);
  return recordedName(run.run_id) === null ? status : { ...status, words: "Recorded" };
}

/** @param {Run} run */
const nameOf = (run) =>
  recordedName(run.run_id) === null
    ? `${run.name && run.name !== run.preset ? run.name : run.preset}, seed ${run.seed}`
    : run.name;

/** @param {Run} run */
function speedOf({ status, steps_per_s }) {
  const rate = steps_per_s || 0;
  if (status !== "running") return "";
  const frames = `${Math.round(stats.framesPerSecond)} frames/s`;
  return `${rate >= 10 ? Math.round(rate) : rate > 0 ? rate.toFixed(1) : "–"} steps/s · ${frames}`;
}
