// What the centre says when there is nothing to draw: no run, a dead link, no server.

import { element } from "../core/element.js";

export class Notice {
  #shown = "";
  #box;
  #actions;

  /**
   * @param {HTMLElement} box
   * @param {{ startLive: () => void, openNewest: () => void }} actions
   */
  constructor(box, actions) {
    this.#box = box;
    this.#actions = actions;
  }

  hide() {
    this.#box.hidden = true;
  }

  noRun() {
    const text = "Start one and watch its topology form. The first picture takes a few seconds.";
    this.#show("No run yet", text, [this.#start()]);
  }

  /** @param {string} runId */
  deadLink(runId) {
    const name = runId.slice(0, 40);
    const text = `There is no run “${name}” here. It may have been removed, or the link is from another machine.`;
    const newest = element("button", { type: "button", className: "button", textContent: "Show the newest run" });
    newest.addEventListener("click", this.#actions.openNewest);
    this.#show("No such run", text, [newest, this.#start()]);
  }

  /** @param {string} reason */
  noServer(reason) {
    this.#show("No server", reason, []);
  }

  #start() {
    const start = element("button", {
      type: "button",
      className: "button button-primary",
      textContent: "Start the live run",
    });
    start.addEventListener("click", this.#actions.startLive);
    return start;
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {HTMLButtonElement[]} buttons
   */
  #show(title, text, buttons) {
    if (!this.#box.hidden && this.#shown === title + text) return; // leave the focus where it is
    this.#shown = title + text;
    this.#box.replaceChildren(element("h2", { textContent: title }), element("p", { textContent: text }), ...buttons);
    this.#box.hidden = false;
  }
}
