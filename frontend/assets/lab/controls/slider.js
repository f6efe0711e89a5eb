// One live control. It shows what was asked, what is in force and since which step, and marks the preset's value.

import { inWords } from "../core/events.js";
import { setting } from "../core/format.js";
import { stats } from "../core/stats.js";
import { noteOf } from "./slider_note.js";
import { place, sliderParts } from "./slider_parts.js";
import { POSITIONS, SliderScale } from "./slider_scale.js";

/** @import { Answer } from "../core/requests.js" */
/** @import { ControlSpec } from "../core/settings.js" */
/** @import { Truth, Unused } from "./slider_note.js" */

const COMMIT_MS = 250; // keys pressed in a row are one change, and a double-click is none
const REFUSAL_MS = 6000; // long enough to read a refusal after leaving the field

export class Slider {
  /** @type {Truth | null} */
  truth = null;
  /** The value that was in force at the moment looked back at. @type {{ value: number, step: number } | null} */
  past = null;
  /** Why the last change was refused, while it is shown. @type {string | null} */
  problem = null;
  /** Changes under way. */
  #waiting = 0;
  #asked = 0;
  #shown = 0;
  /** Whether a person is at it, so that the run's value does not move it. */
  #touched = false;
  /** @type {Unused | null} */
  #unused = null;
  /** What multiplies it and is 0: until then it may be moved and does nothing. */
  #restsBy = "";
  /** @type {number | undefined} */
  #preset = undefined;
  #commitTimer = 0;
  #refusalTimer = 0;
  #host;
  #spec;
  #scale;
  #commit;

  /**
   * @param {HTMLElement} host
   * @param {object} control
   * @param {string} control.name
   * @param {ControlSpec} control.spec
   * @param {string} control.id for the inputs, unique on the page
   * @param {(name: string, value: number) => Promise<Answer>} control.commit sends a change
   */
  constructor(host, { name, spec, id, commit }) {
    this.name = name;
    this.host = host;
    this.#host = host;
    this.#spec = spec;
    this.#scale = new SliderScale(spec);
    this.#commit = commit;
    const parts = sliderParts(host, spec, id, this.#scale);
    this.entry = parts.entry;
    this.range = parts.range;
    this.note = parts.note;
    this.gloss = parts.gloss;
    this.tick = parts.tick;
    this.back = parts.back;
    this.#listen();
  }

  #listen() {
    this.range.addEventListener("input", () => {
      this.#touched = true;
      this.#display(this.#scale.rounded(Number(this.range.value)), false);
    });
    this.range.addEventListener("keydown", (event) => {
      const value = this.#scale.byKey(event.key, this.#shown);
      if (value === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#touched = true;
      this.#display(value, true);
      this.#soon(value);
    });
    this.range.addEventListener("change", () => this.#soon(this.#scale.rounded(Number(this.range.value))));
    this.range.addEventListener("dblclick", () => this.#restore());
    this.back.addEventListener("click", () => {
      this.#restore();
      this.range.focus();
    });
    this.entry.addEventListener("focus", () => this.entry.select());
    this.entry.addEventListener("change", () => this.#typed());
    this.entry.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.entry.blur();
      if (event.key === "Escape") {
        if (this.truth) this.entry.value = setting(this.truth.requested);
        this.#forgive();
        this.entry.blur();
      }
    });
  }

  /** @param {number} value */
  #soon(value) {
    clearTimeout(this.#commitTimer);
    this.#commitTimer = window.setTimeout(() => this.ask(value), COMMIT_MS);
  }

  #typed() {
    const { value, problem } = this.#scale.read(this.entry.value);
    if (problem !== null) this.#refuse(problem);
    else this.ask(value);
  }

  #restore() {
    clearTimeout(this.#commitTimer);
    if (this.#preset !== undefined) this.ask(this.#preset);
  }

  /** Ask for a value, show that it is under way, then what the worker said. @param {number} value */
  async ask(value) {
    if (!this.truth) return;
    clearTimeout(this.#commitTimer);
    this.problem = null;
    if (value === (this.#waiting ? this.#asked : this.truth.requested)) {
      this.#touched = false;
      this.#show();
      return;
    }
    this.#asked = value;
    this.#touched = true;
    this.#waiting += 1;
    this.#display(value, true);
    this.#explain(this.truth);
    const asked_ms = performance.now();
    const result = await this.#commit(this.name, value);
    this.#waiting -= 1;
    if (this.#waiting) return;
    this.#touched = false;
    if (!result.ok) {
      this.#refuse(result.reason);
      return;
    }
    stats.settled(performance.now() - asked_ms);
    const after = result.body.new?.[this.name] ?? value;
    this.truth = {
      ...this.truth,
      requested: after,
      applied: after,
      step: result.body.applied_step,
      before: this.truth.applied,
      by: "person",
    };
    this.#show();
  }

  /** @param {string} reason */
  #refuse(reason) {
    this.problem = inWords(reason);
    this.#touched = false;
    clearTimeout(this.#refusalTimer);
    this.#refusalTimer = window.setTimeout(() => this.#forgive(), REFUSAL_MS);
    this.#show();
  }

  /** The refusal has been read: what is in force is said again. */
  #forgive() {
    if (!this.problem) return;
    this.problem = null;
    this.#show();
  }

  /**
   * The run's truth. Ignored while a change of one's own is under way, and where it is older than what is known of the
   * same life.
   *
   * @param {Truth} said
   * @param {number | undefined} preset
   */
  setTruth(said, preset) {
    if (this.#preset !== preset) {
      this.#preset = preset;
      this.#offerPreset();
    }
    const known = this.truth;
    const same = known !== null && known.life === said.life;
    const unexplained = same && known.step === said.step && said.before === undefined;
    const truth = unexplained ? { ...said, before: known.before, by: known.by } : said;
    if (this.#waiting || (same && known.step > truth.step)) return;
    const changed =
      !same || known.requested !== truth.requested || known.applied !== truth.applied || known.step !== truth.step;
    this.truth = truth;
    if (changed && !this.#touched) this.problem = null;
    if (changed || this.range.disabled) this.#show();
  }

  /**
   * Show the value that was in force at a moment looked back at; null for the present again.
   *
   * @param {{ value: number, step: number } | null} past
   */
  lookBack(past) {
    if (this.past?.value === past?.value && this.past?.step === past?.step) return;
    this.past = past;
    this.#show();
  }

  /**
   * @param {boolean} enabled
   * @param {string} reason why it is off, shown as the tooltip
   * @param {Unused | null} unused
   */
  setEnabled(enabled, reason, unused) {
    const off = !enabled || unused !== null || this.past !== null;
    for (const input of [this.range, this.entry, this.back]) input.disabled = off;
    if (this.#unused?.short !== unused?.short) {
      this.#unused = unused;
      this.#show();
    }
    const title = unused ? unused.full : enabled ? "" : reason;
    for (const input of [this.range, this.entry]) if (input.title !== title) input.title = title;
  }

  /** @param {string} by label of what multiplies it and is 0; empty while it acts */
  setResting(by) {
    if (this.#restsBy === by) return;
    this.#restsBy = by;
    this.#show();
  }

  /** What the run is asked for, or was then. */
  get current() {
    return this.past?.value ?? this.truth?.requested ?? 0;
  }

  #offerPreset() {
    const preset = this.#preset;
    const moved = this.truth !== null && preset !== undefined && this.current !== preset;
    this.back.hidden = !moved;
    this.#host.classList.toggle("is-moved", moved);
    this.tick.hidden = !moved || this.#unused !== null;
    if (!moved) return;
    const position = this.#scale.position(preset);
    this.tick.style.left = place(position);
    this.back.style.left = `clamp(32px, ${place(position)}, 100% - 36px)`;
    this.back.textContent = `preset ${setting(preset)}`;
    this.back.title = `Back to the preset's ${this.#spec.label}, ${setting(preset)}`;
  }

  #show() {
    if (!this.truth) return;
    if (!this.#touched) this.#display(this.current, true);
    this.#explain(this.truth);
    this.#offerPreset();
  }

  /**
   * @param {number} value
   * @param {boolean} moveThumb
   */
  #display(value, moveThumb) {
    this.#shown = value;
    const position = this.#scale.position(value);
    if (moveThumb) this.range.value = String(Math.round(position));
    const text = setting(value);
    if (document.activeElement !== this.entry || this.#waiting) this.entry.value = text;
    this.range.style.setProperty("--fill", `${position / (POSITIONS / 100)}%`);
    this.range.setAttribute("aria-valuetext", `${text}${this.#spec.unit ? ` ${this.#spec.unit}` : ""}`);
    const gloss = (value === 0 && this.#spec.at_zero) || this.#spec.gloss;
    if (this.gloss.textContent !== gloss) this.gloss.textContent = gloss;
  }

  /** @param {Truth} truth */
  #explain(truth) {
    const { state, text } = noteOf(truth, {
      unused: this.#unused,
      past: this.past,
      problem: this.problem,
      isWaiting: this.#waiting > 0,
      restsBy: this.#restsBy,
    });
    this.#host.dataset.state = state;
    this.#host.classList.toggle("is-resting", this.#restsBy !== "");
    if (this.note.textContent !== text) this.note.textContent = text;
  }
}
