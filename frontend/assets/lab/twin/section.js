// "Compare" in the left rail: the switch, what is compared, what it costs, and the ways back.

import { element } from "../core/element.js";

/**
 * @typedef {object} Action
 * @property {string} name
 * @property {string} text
 * @property {string} [title]
 * @property {() => void} act
 *
 * @typedef {object} SectionState
 * @property {boolean} isOn
 * @property {boolean} canBegin
 * @property {string} below one line under the title
 * @property {string} note what is under way, or what it costs
 * @property {boolean} isWrong
 * @property {{ letter: string, name: string, remove: () => void }[]} further runs beside A and B
 * @property {Action[]} actions
 */

export class Section {
  #said = "";
  #switch = element("button", { type: "button", className: "switch" });
  #below = element("p", { className: "compare-below" });
  #note = element("p", { className: "note compare-note" });
  #runs = element("ul", { className: "compare-runs" });
  #actions = element("div", { className: "compare-actions" });

  /**
   * @param {HTMLElement} host
   * @param {() => void} toggle
   */
  constructor(host, toggle) {
    this.#switch.setAttribute("role", "switch");
    this.#switch.setAttribute("aria-label", "Compare");
    this.#switch.addEventListener("click", toggle);
    this.#note.setAttribute("aria-live", "polite");
    host.replaceChildren(
      element(
        "div",
        { className: "compare-head" },
        element("div", {}, element("h2", { textContent: "Compare" }), this.#below),
        this.#switch,
      ),
      this.#runs,
      this.#note,
      this.#actions,
    );
  }

  /** What changes alone: a button that is about to be pressed stays where it is. @param {SectionState} state */
  show({ isOn, canBegin, below, note, isWrong, further, actions }) {
    this.#switch.setAttribute("aria-checked", String(isOn));
    this.#switch.disabled = !isOn && !canBegin;
    if (this.#below.textContent !== below) this.#below.textContent = below;
    if (this.#note.textContent !== note) this.#note.textContent = note;
    this.#note.classList.toggle("is-wrong", isWrong);
    const said = JSON.stringify([further, actions]);
    if (said === this.#said) return;
    this.#said = said;
    this.#runs.replaceChildren(...further.map(runLine));
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.act : undefined;
    this.#actions.replaceChildren(...actions.map(actionButton));
    if (focused) /** @type {HTMLElement | null} */ (this.#actions.querySelector(`[data-act="${focused}"]`))?.focus();
  }
}

/** @param {SectionState["further"][number]} run */
function runLine({ letter, name, remove }) {
  const button = element("button", { type: "button", className: "icon-button compare-remove", title: "Leave out" });
  button.append(element("span", { className: "icon icon-close" }));
  button.setAttribute("aria-label", `Leave out run ${letter}, ${name}`);
  button.addEventListener("click", remove);
  const line = element("span", { className: `line-sample is-${letter.toLowerCase()}`, ariaHidden: "true" });
  return element("li", {}, element("b", { textContent: letter }), line, element("span", { textContent: name }), button);
}

/** @param {Action} action */
function actionButton({ name, text, title, act }) {
  const button = element("button", { type: "button", className: "link", textContent: text, dataset: { act: name } });
  if (title) button.title = title;
  button.addEventListener("click", act);
  return button;
}
