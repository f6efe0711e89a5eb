// Everything that posts a command, and the sheet it lies on where a page is narrow.

import { Commands } from "../core/commands.js";
import { setting } from "../core/format.js";
import { Forces } from "./forces.js";
import { NewRun } from "./new_run.js";
import { Transport } from "./transport.js";

/** @import { Slider } from "./slider.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

export class Controls {
  #model;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {(runId: string) => void} openRun shows another run
   */
  constructor(parts, model, openRun) {
    this.#model = model;
    const commands = new Commands(model);
    this.transport = new Transport(parts, model, commands, () => this.newRun.askRecorded());
    this.forces = new Forces(parts, model, commands, () => this.refresh());
    this.newRun = new NewRun(parts, model, commands, { openRun, presetsKnown: () => this.refresh() });
    this.sheet = parts.find("sheet");
    this.sheetButton = parts.button("sheet-toggle");
    this.sheet.id = parts.id("sheet");
    this.sheetButton.setAttribute("aria-controls", this.sheet.id);
    this.sheetButton.addEventListener("click", () => this.toggleSheet());
    this.values = [...parts.root.querySelectorAll("[data-opens-control]")].map((found) => {
      const button = /** @type {HTMLElement} */ (found);
      const slider = this.forces.sliders.find(({ name }) => name === button.dataset.opensControl);
      button.addEventListener("click", () => this.#show(slider));
      return { slider, text: button.querySelector("b") };
    });
    this.toggleSheet(false);
  }

  /** Open the sheet at a slider. @param {Slider | undefined} slider */
  #show(slider) {
    this.toggleSheet(true);
    slider?.host.scrollIntoView({ block: "nearest" });
    slider?.range.focus();
  }

  /** Show a run's truth in every control. */
  refresh() {
    const { run } = this.#model;
    this.transport.refresh();
    this.newRun.refresh();
    this.forces.refresh(this.transport.rest, run ? this.newRun.controlsOf(run.preset) : undefined);
    for (const { slider, text } of this.values) {
      if (slider?.truth && text) text.textContent = setting(slider.current);
    }
  }

  /** Show what was in force at a moment, or with null the present. @param {{ epoch: number, step: number } | null} moment */
  lookBack(moment) {
    this.forces.lookBack(moment);
    this.refresh();
  }

  toggleSheet(open = !this.sheet.classList.contains("is-open")) {
    this.sheet.classList.toggle("is-open", open);
    this.sheetButton.setAttribute("aria-expanded", String(open));
  }
}
