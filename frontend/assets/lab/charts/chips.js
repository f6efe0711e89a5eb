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
      const badges = element("span", { className: "phase-badges" });
      const button = element(
        "button",
        { type: "button", className: "phase", disabled: true, dataset: { phase: name } },
        element("b", { textContent: `${place + 1} ${title}` }, badges),
        when,
      );
      /** @type {{ button: HTMLButtonElement, when: HTMLElement, badges: HTMLElement, began: Began | null }} */
      const chip = { button, when, badges, began: null };
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
   * @param {Began[] | null} twin phases of the run beside it
   */
  show(phases, step, isTold, twin = null) {
    const chips = chipsOf(phases, step);
    const others = twin && chipsOf(twin, step);
    const said = JSON.stringify([chips, isTold, others]);
    if (said === this.#said) return;
    this.#said = said;
    this.#host.hidden = !isTold;
    for (const [place, { began, isNow }] of chips.entries()) {
      const chip = this.#buttons[place];
      const other = others?.[place];
      chip.began = began ?? other?.began ?? null;
      chip.button.disabled = chip.began === null;
      chip.button.classList.toggle("is-now", isNow || Boolean(other?.isNow));
      const here = [isNow && others ? badge("A") : null, other?.isNow ? badge("B") : null];
      chip.badges.replaceChildren(...here.filter((each) => each !== null));
      if (isNow) chip.button.setAttribute("aria-current", "step");
      else chip.button.removeAttribute("aria-current");
      const word = isNow && place > 0 && !others ? "since" : "step";
      const steps = [began, other?.began].flatMap((each) => (each ? [count(each.step)] : []));
      if (others && began && other?.began && began.step !== other.began.step) {
        chip.when.textContent = `step ${steps.join(" · ")}`;
      } else chip.when.textContent = steps.length ? `${word} ${steps[0]}` : "not yet";
    }
  }
}

/** The letter of a run. @param {"A" | "B"} letter */
const badge = (letter) =>
  element("span", {
    className: `badge badge-${letter.toLowerCase()}`,
    textContent: letter,
    title: `run ${letter} is here`,
  });
