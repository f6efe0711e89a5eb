// What is drawn as a vertical line on every chart: changes by people (violet), phases of the network (dashed grey).

import { byController, changeLabel, changes } from "../core/events.js";

/** @import { Model } from "../core/model.js" */
/** @import { RunEvent } from "../core/told.js" */

/**
 * @typedef {object} Mark
 * @property {number} step
 * @property {string} label
 * @property {"person" | "controller" | "phase"} by
 * @property {number | null} layer null where it is of all layers
 */

const MOST_MARKS = 60;

/** Experts fall idle and come back often: the log and the load chart tell that, a mark each would hide the lines. */
const UNMARKED = ["idle", "recovered"];

/** @type {Record<string, string>} */
const PHASES = { symmetry_broken: "symmetry broke", oligarchy: "oligarchy", sparse: "sparse" };

/** @param {RunEvent} event */
const phaseLabel = ({ data, text }) => PHASES[data.phase || ""] || text.split(/[:,.]/)[0].slice(0, 24);

/**
 * Marks of one epoch, oldest first.
 *
 * @param {RunEvent[]} events
 * @param {number} epoch
 * @returns {Mark[]}
 */
export function marksOf(events, epoch) {
  /** @type {Mark[]} */
  const marks = [];
  for (const event of events) {
    if (event.epoch !== epoch) continue;
    const { step, data } = event;
    const changed = changes(event);
    if (changed.length) {
      const by = byController(event) ? "controller" : "person";
      marks.push({ step, label: changed.map(changeLabel).join(", "), by, layer: null });
    } else if (event.kind === "phase" && !UNMARKED.includes(data.phase || "")) {
      marks.push({ step, label: phaseLabel(event), by: "phase", layer: data.layer ?? null });
    }
  }
  return marks.slice(-MOST_MARKS);
}

/** The marks of a model's present epoch, made anew only when there are other events. */
export class Marks {
  /** @type {{ events: RunEvent[], epoch: number, marks: Mark[] } | null} */
  #made = null;
  #model;

  /** @param {Model} model */
  constructor(model) {
    this.#model = model;
  }

  /** @returns {Mark[]} oldest first */
  get all() {
    const { events, run } = this.#model;
    const epoch = run ? run.epoch : 0;
    if (this.#made?.events !== events || this.#made.epoch !== epoch) {
      this.#made = { events, epoch, marks: marksOf(events, epoch) };
    }
    return this.#made.marks;
  }
}
