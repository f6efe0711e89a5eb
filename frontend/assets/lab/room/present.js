// Presenting: controls are hidden and what is shown is larger, until Escape or the button.

import { announce } from "../core/announcer.js";

export class Present {
  #root;
  #button;

  /**
   * @param {Element} root
   * @param {HTMLElement} button
   */
  constructor(root, button) {
    this.#root = root;
    this.#button = button;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.toggle());
  }

  get isOn() {
    return this.#root.classList.contains("is-presenting");
  }

  toggle() {
    const isOn = this.#root.classList.toggle("is-presenting");
    this.#button.setAttribute("aria-pressed", String(isOn));
    announce(isOn ? "Presenting. Escape leaves." : "The controls are back.");
  }

  leave() {
    if (this.isOn) this.toggle();
  }
}
