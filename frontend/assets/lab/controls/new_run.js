// The next run: its preset and seed, and what it ends, which is said before.

import { element } from "../core/element.js";
import { count, setting, whole } from "../core/format.js";
import { editsOf, recipeInWords, recipeOfFile } from "../core/recipe.js";
import { request } from "../core/requests.js";
import { settings } from "../core/settings.js";
import { DataChoice } from "./data_choice.js";
import { SliderScale } from "./slider_scale.js";

/** @import { Commands } from "../core/commands.js" */
/** @import { NewRun as NewRunAsked, Preset } from "../core/messages.js" */
/** @import { Recipe } from "../core/recipe.js" */
/** @import { ControlValues, Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

const SEEDS_TO_DRAW = 10000;

export class NewRun {
  /** @type {Map<string, Preset>} */
  #presets = new Map();
  /** The run whose preset and seed are shown. */
  #shown = "";
  /** What a link sets of the preset that it offers. @type {ControlValues} */
  #offered = {};
  /** What the run is made from; null where the preset says all. @type {(Recipe & { pauseAt: number | null }) | null} */
  #recipe = null;
  #model;
  #commands;
  #openRun;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Commands} commands
   * @param {{ openRun: (runId: string) => void, presetsKnown: () => void }} on
   */
  constructor(parts, model, commands, { openRun, presetsKnown }) {
    this.#model = model;
    this.#commands = commands;
    this.#openRun = openRun;
    this.data = new DataChoice(parts, () => this.#patches);
    this.preset = parts.select("preset");
    this.presetNote = parts.find("preset-note");
    this.dialog = parts.find("start-dialog", HTMLDialogElement);
    this.opener = parts.button("start-another");
    this.button = parts.button("new-run");
    this.ends = parts.find("ends");
    this.keepRow = parts.find("keep-row");
    this.keep = element("input", { type: "checkbox", dataset: { part: "keep" } });
    parts.find("keep-place").append(this.keep);
    this.note = parts.find("new-run-note");
    this.seed = element("input", { inputMode: "numeric", autocomplete: "off", value: "0", dataset: { part: "seed" } });
    this.seed.setAttribute("aria-label", "Seed");
    parts.find("seed-field").append(this.seed, this.#dice());
    this.seed.addEventListener("keydown", (event) => event.key === "Enter" && this.#ask());
    this.seed.addEventListener("input", () => {
      this.note.textContent = "";
      if (this.#recipe) this.#explain();
    });
    this.file = element("input", { type: "file", accept: ".recording,.json", className: "visually-hidden" });
    parts.find("recipe-place").append(this.file, "Open a recipe or a recorded run…");
    this.file.addEventListener("change", () => this.#openFile());
    this.preset.addEventListener("change", () => {
      this.#offered = {};
      if (this.#recipe) this.data.open();
      this.#recipe = null;
      this.#explain();
    });
    this.dialog.addEventListener("close", () => {
      this.#offered = {};
      this.#recipe = null;
      this.#shown = "";
      this.refresh();
    });
    this.button.addEventListener("click", () => this.#ask());
    this.keep.addEventListener("change", () => this.#warn());
    this.opener.addEventListener("click", () => this.open());
    parts.button("start-cancel").addEventListener("click", () => this.dialog.close());
    this.#load(presetsKnown);
  }

  #dice() {
    const icon = element("span", { className: "icon icon-dice" });
    const dice = element("button", { type: "button", className: "icon-button", title: "Another seed" }, icon);
    dice.setAttribute("aria-label", "Another seed");
    dice.addEventListener("click", () => {
      this.seed.value = String(Math.floor(Math.random() * SEEDS_TO_DRAW));
    });
    return dice;
  }

  /** @param {() => void} presetsKnown */
  async #load(presetsKnown) {
    const answer = await request("GET", "/api/presets");
    if (!answer.ok) return;
    for (const preset of answer.body) this.#presets.set(preset.name, preset);
    this.#explain();
    presetsKnown();
  }

  /** A preset's whole config, once that is known. @param {string} preset */
  configOf(preset) {
    return this.#presets.get(preset)?.config;
  }

  /** Patches along a side of an image of the preset that is chosen. */
  get #patches() {
    const model = this.configOf(this.preset.value)?.model;
    return model ? Math.floor(model.image_size / model.patch_size) : 1;
  }

  /** What a preset sets the controls to, once that is known. @param {string} preset @returns {ControlValues | undefined} */
  controlsOf(preset) {
    const known = this.#presets.get(preset);
    return known && { ...known.config.controls };
  }

  #explain() {
    this.presetNote.classList.toggle("is-recipe", this.#recipe !== null);
    if (this.#recipe) {
      const { config, pauseAt } = this.#recipe;
      const seed = whole(this.seed.value.trim()) ?? undefined;
      const usual = this.configOf(config.preset ?? "live");
      this.presetNote.textContent = recipeInWords(this.#recipe, { seed, pauseAt, usual });
      return;
    }
    const text = this.#presets.get(this.preset.value)?.text;
    const otherwise = Object.entries(this.#offered).map(
      ([name, value]) => `${settings.controls[name].label} ${setting(value)}`,
    );
    const set = otherwise.length ? ` From the first step on with ${otherwise.join(" and ")}.` : "";
    this.presetNote.textContent = text ? `${text[0].toUpperCase()}${text.slice(1)}.${set}` : set;
  }

  /** Ask for the next run. */
  open() {
    this.keep.checked = false;
    this.#say("", false);
    this.#warn();
    this.dialog.showModal();
    this.data.open();
  }

  /**
   * Ask for the run that a link offers; what is wrong with it is said, and the run is asked for without.
   *
   * @param {{ preset: string, controls: Record<string, string> }} offer
   */
  offer({ preset, controls }) {
    if (this.#model.watchOnly) return;
    this.open();
    const isKnown = [...this.preset.options].some(({ value }) => value === preset);
    if (isKnown) this.preset.value = preset;
    /** @type {string[]} */
    const wrong = isKnown ? [] : [`There is no preset “${preset.slice(0, 40)}”.`];
    for (const [name, text] of Object.entries(controls)) {
      const { value, problem } = new SliderScale(settings.controls[name]).read(text);
      if (problem === null) this.#offered[name] = value;
      else wrong.push(problem);
    }
    this.#explain();
    this.#say(wrong.join(" "), wrong.length > 0);
  }

  /** Name what a start ends: the run shown, for everybody who watches it. */
  #warn() {
    const { run, active } = this.#model;
    this.keepRow.hidden = !active;
    const ends = run !== null && active && !this.keep.checked;
    const others = run ? run.viewers - 1 : 0;
    const watched =
      others > 0 ? ` It ends for ${count(others)} other${others === 1 ? "" : "s"} who watch it, too.` : "";
    const text = run ? `This ends ${run.preset}, seed ${run.seed}, at step ${count(this.#step(run))}.${watched}` : "";
    this.ends.textContent = ends ? text : "";
    this.button.textContent = ends ? "End it and start" : "Start";
  }

  /** @param {Run} run */
  #step(run) {
    return Math.max(run.step, this.#model.store.lastStep, 0);
  }

  refresh() {
    const { run, watchOnly } = this.#model;
    this.opener.disabled = watchOnly !== "";
    this.opener.title = watchOnly;
    if (this.dialog.open) this.#warn();
    if (!run || this.dialog.open || this.#shown === `${run.run_id}:${run.seed}`) return;
    this.#shown = `${run.run_id}:${run.seed}`;
    this.seed.value = String(run.seed);
    this.preset.value = run.preset;
    this.#explain();
  }

  async #ask() {
    const typed = this.seed.value.trim();
    const seed = whole(typed);
    if (seed === null || seed > settings.max_seed) {
      this.#say(`Seed must be a whole number from 0 to ${settings.max_seed}. Found ${typed || "nothing"}.`, true);
      return;
    }
    await this.start(this.preset.value, seed);
  }

  /**
   * Start a run and show it; the run shown before is stopped unless it was asked to go on beside.
   *
   * @param {string} preset
   * @param {number} seed
   */
  async start(preset, seed) {
    const endsAnother = this.#model.active && !this.keep.checked;
    if (this.#recipe) {
      const { config, edits, pauseAt } = this.#recipe;
      await this.#start({ config, seed, edits, ...(pauseAt ? { pause_at: pauseAt } : {}) }, endsAnother);
      return;
    }
    const controls = this.#offered;
    const { dataset } = this.data;
    const own = dataset === null ? {} : { dataset };
    const isPlain = !Object.keys(controls).length;
    const named = /** @type {NewRunAsked["preset"]} */ (preset);
    const made = isPlain ? { preset: named } : { config: { preset: named, controls } };
    await this.#start({ ...made, seed, ...own }, endsAnother);
  }

  /** Ask for a run from the settings and the edits of the recorded one that is shown. */
  askRecorded() {
    const { hello, isRecorded, events } = this.#model;
    if (hello && isRecorded) this.askRecipe({ config: hello.config, edits: editsOf(events) });
  }

  /**
   * Ask for a run from a recipe: the dialog says what it does, and starts nothing by itself.
   *
   * @param {Recipe} recipe
   * @param {number | null} [pauseAt] the step at which it pauses; null for none
   */
  askRecipe(recipe, pauseAt = null) {
    if (this.#model.watchOnly) return;
    if (!this.dialog.open) this.open();
    this.#offered = {};
    this.#recipe = { ...recipe, pauseAt };
    const preset = recipe.config.preset ?? "live";
    if ([...this.preset.options].some(({ value }) => value === preset)) this.preset.value = preset;
    this.seed.value = String(recipe.config.train?.seed ?? 0);
    this.data.open(recipe.config.train?.dataset, true);
    this.#explain();
  }

  async #openFile() {
    const [file] = this.file.files ?? [];
    if (!file) return;
    const found = await recipeOfFile(file);
    this.file.value = ""; // the same file may be chosen again
    if (typeof found !== "string") this.askRecipe(found);
    this.#say(typeof found === "string" ? found : "", typeof found === "string");
  }

  /**
   * @param {NewRunAsked} asked
   * @param {boolean} endsAnother whether the run shown is stopped
   */
  async #start(asked, endsAnother) {
    this.#say("starting…", false);
    this.button.disabled = true;
    const answer = await request("POST", "/api/runs", asked);
    this.button.disabled = false;
    this.#say(answer.reason, !answer.ok);
    if (!answer.ok) return answer;
    if (endsAnother) await this.#commands.send("stop");
    this.dialog.close();
    this.#openRun(answer.body.run_id);
    return answer;
  }

  /**
   * @param {string} text
   * @param {boolean} isWrong
   */
  #say(text, isWrong) {
    this.note.textContent = text;
    this.note.classList.toggle("is-wrong", isWrong);
  }
}
