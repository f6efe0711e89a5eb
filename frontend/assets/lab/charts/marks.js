// What is drawn as a line on the chart: changes by people (violet) and by the controller, phases of the layer (dashed).

import { byController, changeLabel, changes } from "../core/events.js";
import { MARKED, phasesOf } from "../core/phases.js";

/** @import { RunEvent } from "../core/told.js" */

/**
 * @typedef {object} Mark
 * @property {number} step
 * @property {string} label
 * @property {"person" | "controller" | "phase"} by
 */

const MOST_MARKS = 60;

/**
 * Marks of the run shown, by their steps.
 *
 * @param {RunEvent[]} events of the run shown, oldest first
 * @param {number} layer
 * @returns {Mark[]}
 */
export function marksOf(events, layer) {
  /** @type {Mark[]} */
  const marks = [];
  for (const event of events) {
    const changed = changes(event);
    if (!changed.length) continue;
    const by = byController(event) ? "controller" : "person";
    marks.push({ step: event.step, label: changed.map(changeLabel).join(", "), by });
  }
  for (const { name, step } of phasesOf(events, layer)) {
    if (MARKED[name]) marks.push({ step, label: MARKED[name], by: "phase" });
  }
  return marks.slice(-MOST_MARKS).sort((a, b) => a.step - b.step);
}
