// What is wrong with a comparison that a link names, in one sentence over the story, with a way out.

import { element } from "../core/element.js";

export class Problem {
  #box;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    box.setAttribute("role", "alert");
  }

  hide() {
    this.#box.hidden = true;
    this.#box.replaceChildren();
  }

  /**
   * @param {string} sentence
   * @param {{ text: string, act: () => void }[]} ways
   */
  say(sentence, ways) {
    const buttons = ways.map(({ text, act }) => {
      const button = element("button", { type: "button", className: "button", textContent: text });
      button.addEventListener("click", () => {
        this.hide();
        act();
      });
      return button;
    });
    const close = element("button", { type: "button", className: "icon-button", title: "Close" });
    close.append(element("span", { className: "icon icon-close" }));
    close.setAttribute("aria-label", "Close this message");
    close.addEventListener("click", () => this.hide());
    this.#box.hidden = false;
    this.#box.replaceChildren(element("p", { textContent: sentence }), ...buttons, close);
  }
}
