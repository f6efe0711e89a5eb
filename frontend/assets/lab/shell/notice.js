// What the centre says when there is nothing to draw: no run, a dead link, no server.

import { element } from "../core/element.js";
import { count } from "../core/format.js";

export class Notice {
  #shown = "";
  #box;
  #actions;

  /**
   * @param {HTMLElement} box
   * @param {{ startLive: () => void, open: (runId: string | null) => void, watchOnly: () => string }} actions `open`
   *   with null opens the newest run; `watchOnly` says why none can be started, and is empty where one can
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
    this.#show("No run yet", this.#actions.watchOnly() || text, this.#start());
  }

  /**
   * @param {string} runId
   * @param {{ run_id: string, name: string, seed: number, step: number } | null} nearest there is; null where that is not known
   */
  deadLink(runId, nearest) {
    const gone = `There is no run “${runId.slice(0, 40)}” here.`;
    const text = nearest
      ? `${gone} The nearest is ${nearest.name}, seed ${nearest.seed}, at step ${count(nearest.step)}.`
      : `${gone} It may have been removed, or the link is from another machine.`;
    const show = element("button", {
      type: "button",
      className: "button",
      textContent: nearest ? "Show that one" : "Show the newest run",
    });
    show.addEventListener("click", () => this.#actions.open(nearest ? nearest.run_id : null));
    this.#show("No such run", text, [show, ...this.#start()]);
  }

  /** @param {string} reason */
  noServer(reason) {
    this.#show("No server", reason, []);
  }

  /** The button that starts a run, for who may. */
  #start() {
    if (this.#actions.watchOnly()) return [];
    const start = element("button", {
      type: "button",
      className: "button button-primary",
      textContent: "Start the live run",
    });
    start.addEventListener("click", this.#actions.startLive);
    return [start];
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
