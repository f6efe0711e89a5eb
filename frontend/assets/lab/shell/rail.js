// The right rail where the page is too narrow for it: two buttons in the header open a part of it.

/** @import { Parts } from "../core/parts.js" */

const SHOWN = ["log", "take"];

export class Rail {
  #rail;
  #buttons;
  #count;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#rail = parts.find("rail");
    this.#count = parts.has("rail-log-count") ? parts.find("rail-log-count") : null;
    this.#buttons = SHOWN.map((name) => ({ name, button: parts.button(`rail-${name}`) }));
    for (const { name, button } of this.#buttons) button.addEventListener("click", () => this.#toggle(name, button));
    for (const close of this.#rail.querySelectorAll('[data-part="rail-close"]')) {
      close.addEventListener("click", () => this.close());
    }
  }

  /**
   * @param {string} name
   * @param {HTMLElement} button
   */
  #toggle(name, button) {
    const opens = button.getAttribute("aria-expanded") !== "true";
    this.close();
    if (!opens) return;
    this.#rail.dataset.shows = name;
    this.#rail.classList.add("is-open");
    button.setAttribute("aria-expanded", "true");
  }

  /** How many lines the log has, on the button that opens it. @param {number} lines */
  told(lines) {
    const text = lines ? String(lines) : "";
    if (this.#count && this.#count.textContent !== text) this.#count.textContent = text;
  }

  close() {
    this.#rail.classList.remove("is-open");
    for (const { button } of this.#buttons) button.setAttribute("aria-expanded", "false");
  }
}
