// What drives the run: run, pause, step, reset, speed, run until a step.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { inWords } from "../core/events.js";
import { whole } from "../core/format.js";

/** @import { Commands } from "../core/commands.js" */
/** @import { Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Answer } from "../core/requests.js" */

/** What can be done with a run at rest. @type {Record<string, string>} */
const RESTING = {
  finished: "Finished: reset it or start a new run.",
  interrupted: "Interrupted: resume it, reset it or start a new run.",
  failed: "Failed: resume it, reset it or start a new run.",
};

const RECORDED = "A recorded run: it is looked at, and does not train.";

/** @param {Run | null} run */
const isRunning = (run) => run?.status === "running" || run?.status === "starting";

/** @typedef {{ model: Model, commands: Commands }} Beside */

export class Transport {
  /** Runs shown beside this one: what trains pauses and goes on with it. @type {() => Beside[]} */
  beside = () => [];
  /** Those that were to go on while they had no worker yet. @type {Set<Beside>} */
  #awaited = new Set();
  /** The last stop that was accepted. */
  #stop = "";
  /** @type {string | null} */
  #runId = null;
  #rest = "";
  #model;
  #commands;
  #askRecorded;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Commands} commands
   * @param {() => void} askRecorded asks for a run from the settings of the recorded one that is shown
   */
  constructor(parts, model, commands, askRecorded) {
    this.#model = model;
    this.#commands = commands;
    this.#askRecorded = askRecorded;
    this.runButton = parts.button("run-pause");
    this.stepButton = parts.button("step");
    this.resetButton = parts.button("reset");
    this.speed = parts.select("speed");
    this.note = parts.find("transport-note");
    this.menuNote = parts.find("menu-note");
    this.until = element("input", {
      inputMode: "numeric",
      autocomplete: "off",
      placeholder: "no stop",
      title: "Enter: run, then pause there",
      dataset: { part: "until" },
    });
    parts.find("until-field").append(this.until);
    this.runButton.addEventListener("click", () => {
      if (this.#model.isRecorded) this.#askRecorded();
      else this.runOrPause();
    });
    this.stepButton.addEventListener("click", () => this.step());
    this.question = parts.find("reset-question");
    this.yes = parts.button("reset-yes");
    this.no = parts.button("reset-no");
    this.resetButton.addEventListener("click", () => this.askReset(true));
    this.no.addEventListener("click", () => this.askReset(false));
    this.yes.addEventListener("click", () => {
      this.askReset(false);
      this.yes.closest("details")?.removeAttribute("open"); // done: what lies under the menu can be reached again
      this.#say(this.#commands.send("reset"));
    });
    this.speed.addEventListener("change", () => this.#askSpeed());
    this.until.addEventListener("input", () => this.#tell(""));
    this.until.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#runUntil(this.until.value.trim());
      if (event.key === "Escape") this.until.blur();
    });
    this.until.addEventListener("blur", () => {
      this.until.value = this.#stop;
      this.#tell("");
    });
  }

  /** Why nothing can be changed, in a run at rest or by who may only watch; empty where something can. */
  get rest() {
    return this.#rest;
  }

  refresh() {
    const { run, active, isRecorded, watchOnly } = this.#model;
    const held = run !== null && run.status !== "queued" && !isRecorded && !watchOnly;
    for (const input of [this.stepButton, this.speed, this.until]) input.disabled = !held || !active;
    this.runButton.disabled = isRecorded ? watchOnly !== "" : !held || run.status === "finished";
    this.resetButton.disabled = !held;
    this.#showRunButton(run);
    this.#takeAlong();
    const rest = watchOnly || (isRecorded ? RECORDED : (run && RESTING[run.status]) || "");
    if (this.#rest !== rest) {
      this.#rest = rest;
      this.#tell("");
    }
    if (!run) return;
    if (document.activeElement !== this.speed) this.#showSpeed(run.speed);
    if (this.#runId === run.run_id) return;
    this.#runId = run.run_id;
    this.#stop = "";
    this.until.value = "";
  }

  /** @param {Run | null} run */
  #showRunButton(run) {
    const running = isRunning(run);
    const icon = this.runButton.querySelector(".icon");
    const text = this.runButton.querySelector(".button-text");
    const resumes = run?.status === "interrupted" || run?.status === "failed";
    if (icon) icon.className = `icon icon-${running ? "pause" : "play"}`;
    const words = running ? "Pause" : resumes ? "Resume" : "Run";
    if (text) text.textContent = this.#model.isRecorded ? "Start from its settings" : words;
  }

  /** @param {number | null} speed */
  #showSpeed(speed) {
    const value = speed === null ? "" : String(speed);
    const known = [...this.speed.options].some((option) => option.value === value);
    if (!known) this.speed.add(new Option(`${value} steps/s`, value));
    this.speed.value = value;
  }

  #askSpeed() {
    const { value } = this.speed;
    this.#say(this.#commands.send("speed", { steps_per_s: value === "" ? null : Number(value) }));
  }

  /** @param {string} text */
  async #runUntil(text) {
    if (text === "") {
      const stopped = this.#stop;
      this.#stop = "";
      if (stopped && isRunning(this.#model.run)) this.#say(this.#commands.send("resume"));
      return;
    }
    const step = whole(text);
    if (step === null) {
      this.#tell(`Run until step must be a whole number. Found ${text.slice(0, 20)}.`);
      return;
    }
    const result = await this.#say(this.#commands.send("run_until", { step }));
    if (!result.ok) return;
    this.#stop = text;
    announce(`Running until step ${text}.`);
    if (document.activeElement !== this.until) this.until.value = text;
  }

  /** @param {Promise<Answer>} promise */
  async #say(promise) {
    const result = await promise;
    this.#tell(result.ok ? "" : inWords(result.reason));
    return result;
  }

  /**
   * What went wrong, or with nothing what can be done with a run at rest; in the menu, where that is what one looks at.
   *
   * @param {string} problem
   */
  #tell(problem) {
    const isInMenu = this.menuNote.closest("details")?.open === true;
    this.menuNote.textContent = isInMenu ? problem : "";
    this.note.textContent = (!isInMenu && problem) || this.#rest;
    this.note.classList.toggle("is-wrong", !isInMenu && problem !== "");
    if (problem) announce(problem);
  }

  runOrPause() {
    if (this.runButton.disabled || this.#model.isRecorded) return;
    const pauses = isRunning(this.#model.run);
    this.#say(this.#commands.send(pauses ? "pause" : "resume"));
    this.#awaited.clear();
    for (const each of this.beside()) {
      const { run } = each.model;
      if (pauses && isRunning(run)) each.commands.send("pause");
      if (!pauses && run?.status === "paused") each.commands.send("resume");
      if (!pauses && (run?.status === "queued" || run?.status === "starting")) this.#awaited.add(each);
    }
  }

  /** What had no worker when this run went on goes on as well, once it has one. */
  #takeAlong() {
    for (const each of this.#awaited) {
      const { run } = each.model;
      if (run?.status === "queued" || run?.status === "starting") continue;
      this.#awaited.delete(each);
      if (run?.status === "paused" && isRunning(this.#model.run)) each.commands.send("resume");
    }
  }

  step() {
    if (this.stepButton.disabled) return;
    this.#say(this.#commands.send("step", { steps: 1 }));
    for (const { model, commands } of this.beside()) {
      if (model.run?.status === "paused") commands.send("step", { steps: 1 });
    }
  }

  /** Ask before a reset, since everybody who watches loses the run's present; or take the question back. @param {boolean} asks */
  askReset(asks) {
    for (const part of [this.question, this.yes, this.no]) part.hidden = !asks;
    this.resetButton.hidden = asks;
    (asks ? this.no : this.resetButton).focus();
  }
}
