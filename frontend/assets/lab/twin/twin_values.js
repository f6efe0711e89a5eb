// B's controls at A's sliders: a violet mark on the rail and a box with the value, where it differs; typed, it steers B.

import { announce } from "../core/announcer.js";
import { Commands } from "../core/commands.js";
import { element } from "../core/element.js";
import { setting } from "../core/format.js";
import { settings } from "../core/settings.js";
import { POSITIONS, SliderScale } from "../controls/slider_scale.js";

/** @import { Model } from "../core/model.js" */
/** @import { Slider } from "../controls/slider.js" */

export class TwinValues {
  /** @type {{ slider: Slider, scale: SliderScale, mark: HTMLElement, box: HTMLInputElement }[]} */
  #marks;
  /** @type {Model | null} */
  #model = null;
  /** @type {Commands | null} */
  #commands = null;

  /** @param {Slider[]} sliders those of A */
  constructor(sliders) {
    this.#marks = sliders.map((slider) => {
      const { name, host } = slider;
      const mark = element("span", { className: "twin-mark", hidden: true, ariaHidden: "true" });
      const box = element("input", {
        className: "twin-value",
        inputMode: "decimal",
        autocomplete: "off",
        hidden: true,
      });
      box.setAttribute("aria-label", `${settings.controls[name].label} of run B`);
      box.title = `${settings.controls[name].label} of run B`;
      host.querySelector(".control-rail")?.append(mark);
      host.querySelector(".control-entry")?.before(box);
      const found = { slider, scale: new SliderScale(settings.controls[name]), mark, box };
      box.addEventListener("change", () => this.#typed(found));
      box.addEventListener("keydown", (event) => event.key === "Enter" && box.blur());
      return found;
    });
  }

  /**
   * Show B's values, or with null none.
   *
   * @param {Model | null} model of B
   * @param {Record<string, number> | null} past its values at the moment looked back at
   * @param {string} watchOnly why who looks may change nothing; empty for who may
   */
  show(model, past, watchOnly) {
    if (model !== this.#model) this.#commands = model && new Commands(model);
    this.#model = model;
    const values = past ?? model?.run?.controls.applied ?? null;
    for (const { slider, scale, mark, box } of this.#marks) {
      const own = slider.past?.value ?? slider.truth?.applied;
      const value = values?.[slider.name];
      const differs = value !== undefined && own !== undefined && value !== own;
      if (mark.hidden === differs) for (const part of [mark, box]) part.hidden = !differs;
      if (!differs) continue;
      mark.style.left = `calc(8px + (100% - 16px) * ${scale.position(value) / POSITIONS})`;
      box.disabled = past !== null || !model?.active || watchOnly !== "";
      if (document.activeElement !== box) box.value = setting(value);
    }
  }

  /** @param {{ slider: Slider, scale: SliderScale, box: HTMLInputElement }} mark */
  async #typed({ slider, scale, box }) {
    const { value, problem } = scale.read(box.value);
    const answer =
      problem === null
        ? await this.#commands?.send("set", { controls: { [slider.name]: value } })
        : { ok: false, reason: problem };
    const wrong = answer?.ok ? "" : (answer?.reason ?? "");
    box.setCustomValidity(wrong);
    box.classList.toggle("is-wrong", wrong !== "");
    box.title = wrong || `${settings.controls[slider.name].label} of run B`;
    if (wrong) announce(wrong);
  }
}
