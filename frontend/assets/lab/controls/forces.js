// The sliders of a run, one for every control that the page has a place for.

import { unused } from "../core/architectures.js";
import { byController, changes } from "../core/events.js";
import { settings } from "../core/settings.js";
import { Slider } from "./slider.js";

/** @import { Commands } from "../core/commands.js" */
/** @import { ControlValues, Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

export class Forces {
  #model;
  #commands;
  #onStale;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Commands} commands
   * @param {() => void} onStale is called when someone else's change came first
   */
  constructor(parts, model, commands, onStale) {
    this.#onStale = onStale;
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
   * @param {string} rest why a run at rest takes no change
   * @param {ControlValues | undefined} preset
   */
  refresh(rest, preset) {
    const { run, active } = this.#model;
    const enabled = run !== null && run.status !== "queued" && active;
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
    const result = await this.#commands.send("set", { controls: { [name]: value } });
    if (result.status === 409) setTimeout(this.#onStale); // someone else was first: show their values
    return result;
  }
}
