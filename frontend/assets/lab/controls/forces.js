// The sliders of a run, one for every control that the page has a place for.

import { unused } from "../core/architectures.js";
import { byController, changes } from "../core/events.js";
import { settings } from "../core/settings.js";
import { Slider } from "./slider.js";

/** @import { Answer } from "../core/requests.js" */
/** @import { RunEvent } from "../core/told.js" */
/** @import { Commands } from "../core/commands.js" */
/** @import { ControlValues, Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

export class Forces {
  /**
   * Takes a change that is not meant for this run; null where it is.
   *
   * @type {(name: string, value: number) => Promise<Answer> | null}
   */
  divert = () => null;
  #model;
  #commands;
  #onStale;
  #foldNote;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Commands} commands
   * @param {() => void} onStale is called when someone else's change came first
   */
  constructor(parts, model, commands, onStale) {
    this.#onStale = onStale;
    this.#foldNote = parts.has("more-forces-note") ? parts.find("more-forces-note") : null;
    this.#model = model;
    this.#commands = commands;
    this.sliders = [...parts.root.querySelectorAll("[data-control]")].map((found) => {
      const host = /** @type {HTMLElement} */ (found);
      const name = host.dataset.control || "";
      const spec = settings.controls[name];
      if (!spec) throw new Error(`A slider must be of a control of the settings. Found ${name}.`);
      return new Slider(host, {
        name,
        spec,
        id: parts.id(name),
        commit: (control, value) => this.#set(control, value),
      });
    });
  }

  /**
   * Show the run's truth in every slider.
   *
   * @param {string} rest why nothing can be changed
   * @param {ControlValues | undefined} preset
   */
  refresh(rest, preset) {
    const { run, active, watchOnly } = this.#model;
    const enabled = run !== null && run.status !== "queued" && active && !watchOnly;
    for (const slider of this.sliders) slider.setEnabled(enabled, rest, unused(this.#model, slider.name));
    if (!run) return;
    const { requested, applied, applied_step: steps } = run.controls;
    for (const slider of this.sliders) {
      const { name } = slider;
      if (!(name in requested)) continue;
      const step = steps[name] || 0;
      const life = `${run.run_id}:${run.epoch}`;
      const truth = {
        requested: requested[name],
        applied: applied[name],
        step,
        life,
        ...this.#lastChange(run, name, step),
      };
      slider.setTruth(truth, preset?.[name]);
    }
    this.#countMoved(preset);
    this.#rest();
  }

  /** What is multiplied by a force that is 0 now, or was then, says that it rests. */
  #rest() {
    for (const slider of this.sliders) {
      const by = settings.controls[slider.name].scaled_by;
      const scale = this.sliders.find(({ name }) => name === by);
      slider.setResting(scale?.truth && scale.current === 0 ? settings.controls[by].label : "");
    }
  }

  /** How many of the folded forces differ from the preset: what is folded away must not be forgotten. @param {ControlValues | undefined} preset */
  #countMoved(preset) {
    const folded = this.sliders.filter(({ host }) => host.closest('[data-part="more-forces"]'));
    const moved = folded.filter(({ name, truth }) => truth && preset && truth.requested !== preset[name]).length;
    const text = moved ? `${moved} changed` : "at preset";
    if (this.#foldNote && this.#foldNote.textContent !== text) this.#foldNote.textContent = text;
  }

  /**
   * Show the values in force at a moment, worked out from the changes since; null for the present again.
   *
   * @param {{ epoch: number, step: number } | null} moment
   */
  lookBack(moment) {
    const { run, events } = this.#model;
    const then = moment && run ? valuesAt(run, events, moment) : null;
    for (const slider of this.sliders) {
      const value = then?.[slider.name];
      slider.lookBack(moment && value !== undefined ? { value, step: moment.step } : null);
    }
    this.#rest();
  }

  /**
   * The value a control had before its last change and who changed it, from the events.
   *
   * @param {Run} run
   * @param {string} name
   * @param {number} step
   * @returns {{ before?: number, by?: "person" | "controller" }}
   */
  #lastChange(run, name, step) {
    const { events } = this.#model;
    for (let i = events.length - 1; i >= 0; i--) {
      if (events[i].epoch !== run.epoch || events[i].step !== step) continue;
      const change = changes(events[i]).find((found) => found.name === name);
      if (change) return { before: change.from, by: byController(events[i]) ? "controller" : "person" };
    }
    return {};
  }

  /**
   * @param {string} name
   * @param {number} value
   */
  async #set(name, value) {
    const diverted = this.divert(name, value);
    if (diverted) return diverted;
    const result = await this.#commands.send("set", { controls: { [name]: value } });
    if (result.status === 409) setTimeout(this.#onStale); // someone else was first: show their values
    return result;
  }
}

/**
 * The controls in force at a moment: today's, without the changes that came after it.
 *
 * @param {Run} run
 * @param {RunEvent[]} events oldest first
 * @param {{ epoch: number, step: number }} moment
 * @returns {ControlValues}
 */
export function valuesAt(run, events, { epoch, step }) {
  const values = { ...run.controls.applied };
  for (const event of events.toReversed()) {
    if (event.epoch < epoch || (event.epoch === epoch && event.step <= step)) break;
    for (const { name, from } of changes(event)) if (from !== undefined) values[name] = from;
  }
  return values;
}
