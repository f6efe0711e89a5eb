// The phases of a layer by the server's events: even, breaks, cuts, frozen. Each begins at a step.

/** @import { RunEvent } from "./told.js" */

/** @typedef {"even" | "breaks" | "cuts" | "frozen"} PhaseName */
/** @typedef {{ name: PhaseName, step: number, epoch: number }} Began */

/** @type {Record<PhaseName, string>} */
export const PHASES = { even: "Even", breaks: "Breaks", cuts: "Cuts", frozen: "Frozen" };

/** What a line on the chart is called where a phase begins; the first needs none. @type {Record<PhaseName, string>} */
export const MARKED = { even: "", breaks: "breaks", cuts: "first cut", frozen: "frozen" };

/** @param {string | undefined} name @returns {name is PhaseName} */
const isPhase = (name) => name !== undefined && name in PHASES;

/** The step that an event is about: what is known only later began at `since`. @param {RunEvent} event */
export const stepOf = (event) => (typeof event.data.since === "number" ? event.data.since : event.step);

/**
 * What one run went through, oldest first; a phase told again while it goes on is one.
 *
 * @param {RunEvent[]} events of the run shown, oldest first
 * @param {number} layer
 * @returns {Began[]}
 */
export function phasesOf(events, layer) {
  /** @type {Began[]} */
  const found = [];
  for (const event of events) {
    const name = event.data.phase;
    if (event.kind !== "phase" || event.data.layer !== layer || !isPhase(name)) continue;
    if (found.at(-1)?.name !== name) found.push({ name, step: stepOf(event), epoch: event.epoch });
  }
  return found;
}

/**
 * The phase that a layer is in at a step, or at the end.
 *
 * @param {Began[]} phases oldest first
 * @param {number} step
 */
export const phaseAt = (phases, step) => phases.findLast((phase) => phase.step <= step) ?? null;

/**
 * @typedef {object} Chip
 * @property {PhaseName} name
 * @property {Began | null} began where it began, the last time before what is shown, or the first after it
 * @property {boolean} isNow
 *
 * @param {Began[]} phases oldest first
 * @param {number} step the one shown
 * @returns {Chip[]}
 */
export function chipsOf(phases, step) {
  const now = phaseAt(phases, step);
  return /** @type {PhaseName[]} */ (Object.keys(PHASES)).map((name) => {
    const own = phases.filter((phase) => phase.name === name);
    const began = own.findLast((phase) => phase.step <= step) ?? own[0] ?? null;
    return { name, began, isNow: now !== null && began === now };
  });
}
