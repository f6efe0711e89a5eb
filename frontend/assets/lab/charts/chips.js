// Four chips: the phases of the layer shown, each a jump to where it began.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { PHASES, chipsOf } from "../core/phases.js";

/** @import { Began } from "../core/phases.js" */

export class Chips {
  #said = "";
  #host;
  #buttons;

  /**
   * @param {HTMLElement} host
   * @param {(began: Began) => void} onJump
   */
  constructor(host, onJump) {
    this.#host = host;
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", "Phases of the layer");
    this.#buttons = Object.entries(PHASES).map(([name, title], place) => {
      const when = element("span", { className: "phase-when" });
      const button = element(
        "button",
        { type: "button", className: "phase", disabled: true, dataset: { phase: name } },
        element("b", { textContent: `${place + 1} ${title}` }),
        when,
      );
      /** @type {{ button: HTMLButtonElement, when: HTMLElement, began: Began | null }} */
      const chip = { button, when, began: null };
      button.addEventListener("click", () => chip.began && onJump(chip.began));
      return chip;
    });
    for (const [place, { button }] of this.#buttons.entries()) {
      if (place) host.append(element("span", { className: "phase-next", ariaHidden: "true", textContent: "›" }));
      host.append(button);
    }
  }

  /**
   * @param {Began[]} phases oldest first
   * @param {number} step the one shown
   * @param {boolean} isTold whether the run tells of phases
   */
  show(phases, step, isTold) {
    const chips = chipsOf(phases, step);
    const said = JSON.stringify([chips, isTold]);
    if (said === this.#said) return;
    this.#said = said;
    this.#host.hidden = !isTold;
    for (const [place, { began, isNow }] of chips.entries()) {
      const chip = this.#buttons[place];
      chip.began = began;
      chip.button.disabled = began === null;
      chip.button.classList.toggle("is-now", isNow);
      if (isNow) chip.button.setAttribute("aria-current", "step");
      else chip.button.removeAttribute("aria-current");
      const word = isNow && place > 0 ? "since" : "step";
      chip.when.textContent = began ? `${word} ${count(began.step)}` : "not yet";
    }
  }
}
