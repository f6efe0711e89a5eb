// The page's one lens: the topology as a matrix, or as threads.

import { element } from "../core/element.js";

/** @import { Lens } from "./picture.js" */

/** @type {[Lens, string][]} */
const LENSES = [
  ["matrix", "Matrix"],
  ["threads", "Threads"],
];

export class LensSwitch {
  #buttons;

  /**
   * @param {HTMLElement} host
   * @param {(lens: Lens) => void} choose
   */
  constructor(host, choose) {
    this.#buttons = LENSES.map(([lens, textContent]) => {
      const button = element("button", { type: "button", textContent, dataset: { lens } });
      button.addEventListener("click", () => choose(lens));
      return button;
    });
    host.replaceChildren(...this.#buttons);
  }

  /** @param {Lens} chosen */
  mark(chosen) {
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.lens === chosen));
  }
}

/** @param {string | undefined} name @returns {Lens} */
export const lensOf = (name) => (name === "threads" ? "threads" : "matrix");
