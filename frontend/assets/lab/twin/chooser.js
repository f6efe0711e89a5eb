// What to compare with: a fork at the next change, or runs that are stored or train, those of the same seed first.

import { element } from "../core/element.js";
import { count, percent } from "../core/format.js";
import { statusOf } from "../core/settings.js";
import { MOST_RUNS, choiceOrder, differencesOf } from "./choice.js";

/** @import { ListedRun } from "../core/messages.js" */

const SHOWN = 50;

export class Chooser {
  /** Runs that are chosen, in the order in which they were. @type {string[]} */
  #chosen = [];
  #most = MOST_RUNS - 1;
  #list = element("ul", { className: "choice-list" });
  #forkButton = element("button", { type: "button", className: "button choice-fork" });
  #forkText = element("p", { className: "note" });
  #note = element("p", { className: "note" });
  #compare = element("button", { type: "button", className: "button button-primary" });
  #dialog;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {{ fork: () => void, compare: (runIds: string[]) => void }} on
   */
  constructor(dialog, on) {
    this.#dialog = dialog;
    this.#note.setAttribute("aria-live", "polite");
    const cancel = element("button", { type: "button", className: "button", textContent: "Cancel" });
    cancel.addEventListener("click", () => dialog.close());
    this.#forkButton.addEventListener("click", () => {
      dialog.close();
      on.fork();
    });
    this.#compare.addEventListener("click", () => {
      dialog.close();
      on.compare(this.#chosen);
    });
    dialog.replaceChildren(
      element("h2", { textContent: "Compare this run" }),
      this.#forkButton,
      this.#forkText,
      element("h3", { textContent: "or with runs that are here" }),
      this.#list,
      this.#note,
      element("div", { className: "dialog-buttons" }, cancel, this.#compare),
    );
  }

  /**
   * @param {ListedRun} own
   * @param {ListedRun[]} runs newest first
   * @param {{ compared: string[], whyNoFork: string }} state `whyNoFork`: empty where the run can be forked
   */
  open(own, runs, { compared, whyNoFork }) {
    this.#chosen = [...compared];
    this.#forkButton.textContent = "Fork at the next change";
    this.#forkButton.disabled = whyNoFork !== "";
    this.#forkText.textContent =
      whyNoFork ||
      "Move a slider next: this run trains on unchanged as A; a twin takes the change and goes on from the same weights, optimiser, batches and random streams as B.";
    const found = choiceOrder(own, runs).slice(0, SHOWN);
    this.#list.replaceChildren(...found.map((run) => this.#item(own, run)));
    if (!found.length) {
      this.#list.append(element("li", { className: "choice-none", textContent: "No other run has trained here yet." }));
    }
    this.#mark();
    this.#dialog.showModal();
  }

  /** @param {ListedRun} own @param {ListedRun} run */
  #item(own, run) {
    const box = element("input", { type: "checkbox", value: run.run_id, checked: this.#chosen.includes(run.run_id) });
    box.addEventListener("change", () => {
      this.#chosen = this.#chosen.filter((id) => id !== run.run_id);
      if (box.checked) this.#chosen.push(run.run_id);
      this.#mark();
    });
    const status = statusOf(run.status);
    const facts = [
      run.parent?.run_id === own.run_id ? `forked from this run at step ${count(run.parent.step)}` : "",
      `${status.words.toLowerCase()} at step ${count(run.step)}`,
      run.links_cut === null ? "" : `${count(run.links_cut)} links cut`,
      run.accuracy === null ? "" : `${percent(run.accuracy)} with ID`,
    ].filter(Boolean);
    const name = run.name && run.name !== run.preset ? run.name : run.preset;
    const apart = differencesOf(own, run);
    const seed = apart.some(({ name: field }) => field === "seed") ? null : `seed ${run.seed}, `;
    const settings = element(
      "span",
      { className: "choice-settings" },
      seed,
      apart.length ? null : "no setting differs",
    );
    for (const [i, { text }] of apart.entries()) settings.append(i ? ", " : "", element("b", { textContent: text }));
    return element(
      "li",
      {},
      element(
        "label",
        { className: "choice" },
        box,
        element(
          "span",
          { className: "choice-words" },
          element("span", { className: "choice-name", textContent: name }),
          settings,
          element("span", { className: "choice-facts", textContent: facts.join(" · ") }),
        ),
      ),
    );
  }

  /** No more runs than the chart has lines for. */
  #mark() {
    const isFull = this.#chosen.length >= this.#most;
    for (const box of this.#list.querySelectorAll("input")) box.disabled = isFull && !box.checked;
    const many = this.#chosen.length;
    this.#note.textContent = isFull ? `At most ${MOST_RUNS} runs are shown at once.` : "";
    this.#compare.disabled = !many;
    this.#compare.textContent = many > 1 ? `Compare ${many + 1} runs` : "Compare";
  }
}
