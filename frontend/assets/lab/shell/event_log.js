// "What is happening": events in words, newest first. Changes by people in violet, by the controller dotted, phases
// dashed, warnings in amber.

import { element } from "../core/element.js";
import { byController, changeLabel, changes, eventInWords, inWords } from "../core/events.js";
import { clock, count } from "../core/format.js";

/** @import { RunEvent } from "../core/told.js" */

const MOST_SHOWN = 200;
const WARNING_PHASES = ["idle"];
const SAID_OTHERWISE = ["running", "paused", "starting"];

/**
 * Pausing and resuming are told by the command that did it; a checkpoint is saved every so often.
 *
 * @param {RunEvent} event
 */
function isNoise({ kind, data }) {
  return kind === "checkpoint" || (kind === "status" && SAID_OTHERWISE.includes(data.status || "") && !data.reason);
}

/** @param {RunEvent} event */
const isWarning = ({ kind, data }) =>
  kind === "rejected" || kind === "error" || WARNING_PHASES.includes(data.phase || "");

export class EventLog {
  /** The newest event shown. @type {RunEvent | null} */
  #newest = null;
  #list;
  #onJump;

  /**
   * @param {HTMLElement} list
   * @param {(step: number, epoch: number) => void} onJump shows a moment of an epoch of the run
   */
  constructor(list, onJump) {
    this.#list = list;
    this.#onJump = onJump;
  }

  /** @param {RunEvent[]} events oldest first */
  showAll(events) {
    this.#list.replaceChildren();
    this.#newest = null;
    for (const event of events.slice(-2 * MOST_SHOWN)) this.add(event);
    if (this.#list.childElementCount) return;
    const text = "Nothing yet. Changes, phases of the network and warnings appear here.";
    this.#list.append(element("li", { className: "events-empty", textContent: text }));
  }

  /** @param {RunEvent} event */
  add(event) {
    if (isNoise(event)) return;
    this.#list.querySelector(".events-empty")?.remove();
    const before = this.#newest;
    if (before && before.epoch !== event.epoch) this.#list.prepend(divider(before, event));
    this.#newest = event;
    this.#list.prepend(this.#item(event));
    while (this.#list.childElementCount > MOST_SHOWN) this.#list.lastElementChild?.remove();
  }

  /** @param {RunEvent} event */
  #item(event) {
    const changed = changes(event);
    const kind = isWarning(event) ? "warning" : byController(event) ? "controller" : event.kind;
    const text = changed.length
      ? element("b", { textContent: changed.map(changeLabel).join(", ") })
      : eventInWords(event);
    const meta = element("p", { className: "event-meta", textContent: whenOf(event) });
    if (event.kind === "phase" && event.step > 1) meta.append(" · ", this.#jump(event));
    return element("li", { className: `event event-${kind}` }, element("p", {}, text), meta);
  }

  /** @param {RunEvent} event */
  #jump({ step, epoch }) {
    const button = element("button", { type: "button", className: "link", textContent: "see just before" });
    button.addEventListener("click", () => this.#onJump(step - 1, epoch));
    return button;
  }
}

/**
 * Between two epochs of the run: below it is what the step counter says no more.
 *
 * @param {RunEvent} before
 * @param {RunEvent} event
 */
function divider(before, event) {
  const text = event.step < before.step ? "before the reset" : "before the restart";
  return element("li", { className: "events-divider", textContent: text });
}

/** @param {RunEvent} event */
function whenOf(event) {
  const { kind, step, data } = event;
  if (kind !== "applied") return `step ${count(step)} · ${clock(event.time_ms)}`;
  if (byController(event)) return `by the controller, at step ${count(step)}. ${inWords(data.reason)}`;
  const asked = data.command?.requested_step;
  return typeof asked === "number"
    ? `asked at ${count(asked)}, applied at ${count(step)}`
    : `applied at step ${count(step)}`;
}
