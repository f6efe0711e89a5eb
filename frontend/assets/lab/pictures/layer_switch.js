// One button a layer, where there are several.

import { element } from "../core/element.js";

const MOST_WITH_WORD = 3; // more layers leave no room for it

export class LayerSwitch {
  /** @type {HTMLButtonElement[]} */
  #buttons = [];
  #host;
  #choose;

  /**
   * @param {HTMLElement} host
   * @param {(layer: number) => void} choose
   */
  constructor(host, choose) {
    this.#host = host;
    this.#choose = choose;
  }

  /** Make the buttons; none for a single layer. @param {number} layers */
  setUp(layers) {
    this.#buttons = Array.from({ length: layers > 1 ? layers : 0 }, (_, layer) => {
      const textContent = layers <= MOST_WITH_WORD ? `Layer ${layer + 1}` : String(layer + 1);
      const button = element("button", { type: "button", textContent });
      button.setAttribute("aria-label", `Layer ${layer + 1}`);
      button.addEventListener("click", () => this.#choose(layer));
      return button;
    });
    this.#host.replaceChildren(...this.#buttons);
  }

  /** @param {number} chosen */
  mark(chosen) {
    this.#buttons.forEach((button, layer) => button.setAttribute("aria-pressed", String(layer === chosen)));
  }
}
