// A link's history in the card: sigma, what pushed it, and the numbers of the step that is looked at.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { PARTS, pushesOf, verdict } from "./pushes.js";
import { pushChart } from "./push_chart.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { EntryHistory } from "../core/messages.js" */
/** @import { Pushes } from "./pushes.js" */

const HOW = "Up strengthens the link. The sum is what AdamW was given, sign turned; it then divides by the usual size.";
const NO_STEP =
  "The picture shown is of no trained step, but of a run that was just begun or loaded: nothing pushed yet.";
const FLOAT32 = 2 ** -22;

/**
 * @param {object} asked
 * @param {EntryHistory | null} asked.history
 * @param {string} asked.problem why there is none
 * @param {FrameArray | undefined} asked.gradient of the frame shown
 * @param {number} asked.expert
 * @param {number} asked.block
 * @param {number} asked.step that is looked at
 * @returns {HTMLElement[]}
 */
export function aboutLink({ history, problem, gradient, expert, block, step }) {
  if (problem) return [element("p", { className: "inquiry-problem", textContent: problem })];
  if (!history) return [element("p", { className: "inquiry-verdict", textContent: "Looking through its history…" })];
  const said = history.steps.length ? verdict(history, step) : "No frame of it is kept yet.";
  const made = [element("p", { className: "inquiry-verdict", textContent: said })];
  if (history.steps.length > 1) {
    const host = element("div", {});
    host.append(pushChart(history, step, `σ(A) and what pushed it, step by step. ${said}`));
    made.unshift(host);
  }
  if (history.untold) return [...made, element("p", { className: "inquiry-problem", textContent: history.untold })];
  const pushes = pushesOf(gradient, expert, block);
  const below = pushes
    ? [table(pushes, step), element("p", { className: "subtitle", textContent: HOW })]
    : [element("p", { className: "subtitle", textContent: NO_STEP })];
  return [...made, ...below];
}

/**
 * @param {Pushes} pushes
 * @param {number} step
 */
function table(pushes, step) {
  const largest = Math.max(...PARTS.map(({ name }) => Math.abs(pushes[name])));
  /** What float32 cannot tell from nothing beside the largest part is shown as 0. @param {number} value */
  const told = (value) => signed(Math.abs(value) < FLOAT32 * largest ? 0 : value);
  const rows = PARTS.map(({ name, label, colour }) => {
    const swatch = element("span", { className: "inquiry-swatch" });
    swatch.style.background = colour;
    const head = element("th", { scope: "row" }, swatch, label);
    return element("tr", { dataset: { part: name } }, head, element("td", { textContent: told(pushes[name]) }));
  });
  const sum = element(
    "tr",
    { className: "inquiry-sum" },
    element("th", { scope: "row", textContent: "sum" }),
    element("td", { textContent: told(pushes.all) }),
  );
  return element(
    "table",
    { className: "inquiry-table" },
    element("caption", { textContent: `Pushes at step ${count(step)}` }),
    element("tbody", {}, ...rows, sum),
  );
}

/** +1.23e-4, with a minus that is as wide as the plus. @param {number} value */
function signed(value) {
  if (value === 0) return "0";
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toExponential(2)}`;
}
