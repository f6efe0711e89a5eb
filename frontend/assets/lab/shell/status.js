// What the run does, how fast, where, for how long, and for how many people; the connection banner.

import { announce } from "../core/announcer.js";
import { architectureOf } from "../core/architectures.js";
import { clock, count, duration } from "../core/format.js";
import { statusOf } from "../core/settings.js";
import { stats } from "../core/stats.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

const QUIET_MS = 400; // a reconnect shorter than this is not worth a banner

const FACTS = ["chip-model", "chip-speed", "chip-device", "chip-watching"];

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
    const status = run && statusOf(run.status);
    this.#banner(run, lost_ms);
    this.#parts.root.classList.toggle("is-stale", lost);
    this.#parts.root.classList.toggle("is-pinned", pinned !== null);
    this.#parts.find("chip-main").dataset.state = lost ? "trouble" : pinned ? "pinned" : status ? status.mark : "idle";
    this.#say(lost ? "Connection lost" : status ? status.words : "No run");
    if (!run || !status) {
      this.#show("chip-status", lost ? "No connection" : "No run");
      for (const name of FACTS) this.#show(name, "");
      return;
    }
    this.#show("chip-status", lost ? "Connection lost" : pinned ? lookingBack(pinned, run) : this.#progress(run));
    this.#show("chip-speed", speedOf(run));
    this.#show("chip-device", this.#device(run));
    this.#show("chip-watching", run.viewers ? `${count(run.viewers)} watching` : "");
    const { name } = architectureOf(this.#model);
    this.#show("chip-model", name);
    this.#onTitle(`${status.words} · ${name}`);
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

  /** @param {Run} run */
  #progress(run) {
    const step = this.#step(run);
    const steps = step > 0 || run.status === "running" ? `step ${count(step)}` : "";
    return [statusOf(run.status).words, steps, this.#dataEpochs(run)].filter(Boolean).join(" · ");
  }

  /** @param {Run} run */
  #dataEpochs(run) {
    const { hello, store } = this.#model;
    const passed = store.get("data_epoch").last;
    if (!hello?.steps_per_epoch || passed === undefined) return "";
    const all = Math.max(1, Math.ceil((run.total_steps || 0) / hello.steps_per_epoch));
    return `epoch ${Math.min(all, Math.floor(passed) + 1)} of ${count(all)}`;
  }

  /** @param {Run} run */
  #device(run) {
    const { device } = run;
    const parts = [];
    if (device) {
      const threads = device.threads ? `${device.threads} ${device.threads === 1 ? "thread" : "threads"}` : "";
      parts.push(device.kind === "cpu" ? ["CPU", threads].filter(Boolean).join(", ") : device.name || device.kind);
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
      const age = frame ? ` The pictures are ${duration((Date.now() - frame.time_ms) / 1000)} old.` : "";
      text = `Connection lost at ${clock(lost_ms)}.${age} Trying again…`;
    } else if (run?.status === "failed" || run?.status === "interrupted") text = run.reason || "";
    banner.hidden = !text;
    setText(banner, text);
  }
}

/**
 * @param {Frame} frame
 * @param {Run} run
 */
function lookingBack(frame, run) {
  const place = frame.epoch !== run.epoch ? ", before the reset" : "";
  return `Looking back at step ${count(frame.step)}${place} · End returns to live`;
}

/** @param {Run} run */
function speedOf({ status, steps_per_s }) {
  const rate = steps_per_s || 0;
  const frames = `${Math.round(stats.framesPerSecond)} frames/s`;
  if (status !== "running") return frames;
  return `${rate >= 10 ? Math.round(rate) : rate > 0 ? rate.toFixed(1) : "–"} steps/s · ${frames}`;
}
