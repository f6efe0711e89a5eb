// "What happened": only what changed the picture, newest first. New lines wait while the log is read.

import { element } from "../core/element.js";
import { byController, changeLabel, changes, eventInWords, inWords } from "../core/events.js";
import { count } from "../core/format.js";
import { PHASES, phasesOf, stepOf } from "../core/phases.js";

/** @import { RunEvent } from "../core/told.js" */

/** Phases that this version tells; what earlier ones told (idle, oligarchy) did not change the picture. */
const TOLD = [...Object.keys(PHASES), "half_cut", "pulls_ahead", "oligarchic", "accuracy"];
const TROUBLE = ["failed", "interrupted"];
const MOST_SHOWN = 100;

/**
 * @typedef {object} Line of the log
 * @property {number} step
 * @property {number} epoch
 * @property {string} title
 * @property {string} detail
 * @property {"phase" | "small" | "person" | "controller" | "warning" | "plain"} kind
 */

/**
 * What an event says in the log, or null where it changed nothing that is seen.
 *
 * @param {RunEvent} event
 * @param {number} layer the one shown
 * @returns {Line | null}
 */
export function lineOf(event, layer) {
  const { kind, epoch, data } = event;
  const step = stepOf(event);
  if (kind === "phase") {
    if (!TOLD.includes(data.phase || "")) return null;
    if (typeof data.layer === "number" && data.layer !== layer) return null;
    const [title, ...detail] = inWords(event.text.replace(/^Layer \d+: /, ""))
      .replace(/\.$/, "")
      .split(". ");
    return {
      step,
      epoch,
      title,
      detail: detail.join(". "),
      kind: data.phase && data.phase in PHASES ? "phase" : "small",
    };
  }
  const changed = changes(event);
  if (changed.length) {
    const asked = data.command?.requested_step;
    const detail = byController(event)
      ? `by the controller. ${inWords(data.reason)}`
      : typeof asked === "number" && asked !== step
        ? `asked at step ${count(asked)}`
        : "changed by a person";
    return {
      step,
      epoch,
      title: changed.map(changeLabel).join(", "),
      detail,
      kind: byController(event) ? "controller" : "person",
    };
  }
  if (kind === "rejected" || kind === "error" || (kind === "status" && TROUBLE.includes(data.status || ""))) {
    return { step, epoch, title: eventInWords(event), detail: "", kind: "warning" };
  }
  return null;
}

/**
 * The lines of the run's events, newest first; a phase told again while it goes on is one line.
 *
 * @param {RunEvent[]} events oldest first
 * @param {number} layer
 * @returns {Line[]}
 */
export function linesOf(events, layer) {
  const began = new Set(phasesOf(events, layer).map(({ name, step, epoch }) => `${name} ${step} ${epoch}`));
  /** @type {Line[]} */
  const lines = [];
  for (const event of events) {
    const line = lineOf(event, layer);
    if (!line || (line.kind === "phase" && !began.has(`${event.data.phase} ${line.step} ${line.epoch}`))) continue;
    lines.push(line);
  }
  return lines
    .map((line, place) => ({ line, place }))
    .sort((a, b) => b.line.epoch - a.line.epoch || b.line.step - a.line.step || b.place - a.place)
    .map(({ line }) => line)
    .slice(0, MOST_SHOWN);
}

export class EventLog {
  /** @type {RunEvent[] | null} */
  #events = null;
  #layer = 0;
  /** Where one looks: epoch and step; null for live. @type {{ epoch: number, step: number } | null} */
  #moment = null;
  /** What is shown, and what would be. @type {Line[]} */
  #lines = [];
  /** @type {Line[]} */
  #newest = [];
  #isRead = false;
  #list;
  #which = element("span", { className: "log-layer" });
  #more = element("button", { type: "button", className: "log-more", hidden: true });
  #standing = element("p", { className: "log-idle" });
  #onJump;

  /**
   * @param {HTMLElement} host a panel with a list in it
   * @param {HTMLElement} list
   * @param {(step: number, epoch: number) => void} onJump shows a moment of an epoch of the run
   */
  constructor(host, list, onJump) {
    this.#list = list;
    this.#onJump = onJump;
    host.querySelector(".panel-head")?.append(this.#more, this.#which);
    host.append(this.#standing);
    this.#more.addEventListener("click", () => {
      this.#list.scrollTop = 0;
      this.#draw();
    });
    for (const [begins, ends] of [
      ["pointerenter", "pointerleave"],
      ["focusin", "focusout"],
    ]) {
      list.addEventListener(begins, () => (this.#isRead = true));
      list.addEventListener(ends, () => {
        this.#isRead = list.matches(":hover") || list.contains(document.activeElement);
        this.#catchUp();
      });
    }
    list.addEventListener("scroll", () => this.#catchUp());
  }

  /**
   * @param {RunEvent[]} events all of the run, oldest first
   * @param {number} layer the one shown
   * @param {{ epoch: number, step: number } | null} moment the one looked back at
   * @param {boolean} hasTopology
   * @param {(events: RunEvent[], layer: number) => Line[]} [toLines] where the events are of several runs
   */
  show(events, layer, moment, hasTopology, toLines = linesOf) {
    const isSame =
      this.#layer === layer && this.#moment?.step === moment?.step && this.#moment?.epoch === moment?.epoch;
    if (isSame && this.#events === events) return;
    const grew = isSame && this.#lines.length > 0;
    this.#events = events;
    this.#layer = layer;
    this.#moment = moment;
    this.#which.textContent = hasTopology ? `layer ${layer + 1}` : "";
    this.#newest = toLines(events, layer);
    if (grew && this.#isBeingRead) this.#offer();
    else this.#draw();
  }

  /** A sentence that stands below the log: experts without work now. @param {string} text */
  stand(text) {
    if (this.#standing.textContent !== text) this.#standing.textContent = text;
    this.#standing.hidden = !text;
  }

  /** How many lines there are, those that wait among them. */
  get size() {
    return this.#newest.length;
  }

  /** Whether a new line would move what somebody reads. */
  get #isBeingRead() {
    return this.#isRead || this.#list.scrollTop > 4;
  }

  #catchUp() {
    if (!this.#isBeingRead && this.#newest !== this.#lines) this.#draw();
  }

  /** Say how many lines wait; what is read stays where it is. */
  #offer() {
    const waiting = this.#newest.length - this.#lines.length;
    this.#more.hidden = waiting <= 0;
    this.#more.textContent = `${count(waiting)} new`;
  }

  #draw() {
    this.#lines = this.#newest;
    this.#more.hidden = true;
    const moment = this.#moment;
    /** @param {Line} line */
    const isLater = (line) =>
      moment !== null && (line.epoch > moment.epoch || (line.epoch === moment.epoch && line.step > moment.step));
    const items = [];
    let said = moment === null;
    for (const [i, line] of this.#lines.entries()) {
      if (i && this.#lines[i - 1].epoch !== line.epoch && this.#lines[i - 1].step < line.step) items.push(divider());
      if (!said && moment && !isLater(line)) {
        items.push(here(moment.step));
        said = true;
      }
      items.push(this.#item(line, isLater(line)));
    }
    if (!said && moment) items.push(here(moment.step));
    if (!items.length) items.push(element("li", { className: "events-empty", textContent: "Nothing yet." }));
    this.#list.replaceChildren(...items);
  }

  /** @param {Line} line @param {boolean} isLater */
  #item({ step, epoch, title, detail, kind }, isLater) {
    const button = element(
      "button",
      { type: "button", className: "event-jump", title: `Look at step ${count(step)}` },
      element("span", { className: "event-step", textContent: count(step) }),
      element("span", { className: "event-dot", ariaHidden: "true" }),
      element(
        "span",
        { className: "event-words" },
        element("b", { textContent: title }),
        detail && element("span", { className: "event-detail", textContent: detail }),
      ),
    );
    button.addEventListener("click", () => this.#onJump(step, epoch));
    return element("li", { className: `event event-${kind}${isLater ? " is-later" : ""}` }, button);
  }
}

/** Below it is what the step counter says no more. */
const divider = () => element("li", { className: "events-divider", textContent: "before the reset" });

/** @param {number} step */
const here = (step) => element("li", { className: "events-here", textContent: `you look at step ${count(step)}` });
