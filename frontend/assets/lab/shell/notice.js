// What the centre says when there is nothing to draw: no run, a dead link, no server.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { recipeInWords } from "../core/recipe.js";

/** @import { Recipe } from "../core/recipe.js" */

export class Notice {
  #shown = "";
  #box;
  #actions;

  /**
   * @param {HTMLElement} box
   * @param {object} actions
   * @param {() => void} actions.startLive
   * @param {(runId: string | null) => void} actions.open null opens the newest run
   * @param {() => string} actions.watchOnly why none can be started; empty where one can
   * @param {(recipe: Recipe, pauseAt: number | null) => void} actions.again asks for a run from a recipe
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
   * @param {Recipe | string | null} [recipe] that the link carries, or why it cannot be read
   * @param {number | null} [pauseAt] the step that the link looks at
   */
  deadLink(runId, nearest, recipe = null, pauseAt = null) {
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
    if (recipe === null || typeof recipe === "string") {
      this.#show("No such run", recipe ? `${text} ${recipe}` : text, [show, ...this.#start()]);
      return;
    }
    const again = this.#actions.watchOnly() ? [] : [this.#again(recipe, pauseAt)];
    const words = recipeInWords(recipe, { pauseAt });
    this.#show("No such run", `${gone} The link carries its recipe. ${words}`, [...again, show]);
  }

  /** @param {Recipe} recipe @param {number | null} pauseAt */
  #again(recipe, pauseAt) {
    const again = element("button", {
      type: "button",
      className: "button button-primary",
      textContent: "Run it again…",
    });
    again.addEventListener("click", () => this.#actions.again(recipe, pauseAt));
    return again;
  }

  /** @param {string} reason why there is no such recorded run, with the nearest that there is */
  noRecording(reason) {
    const all = element("a", { href: "/lessons#recorded", className: "button", textContent: "All recorded runs" });
    this.#show("No such recorded run", reason, [all, ...this.#start()]);
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
   * @param {HTMLElement[]} buttons
   */
  #show(title, text, buttons) {
    if (!this.#box.hidden && this.#shown === title + text) return; // leave the focus where it is
    this.#shown = title + text;
    this.#box.replaceChildren(element("h2", { textContent: title }), element("p", { textContent: text }), ...buttons);
    this.#box.hidden = false;
  }
}
