// The line under a slider: what is in force and since when, or what stands in the way.

import { count, setting } from "../core/format.js";

/**
 * @typedef {object} Truth what the run says of a control
 * @property {number} requested
 * @property {number} applied
 * @property {number} step since when it is in force
 * @property {string} life names run and epoch
 * @property {number} [before] the value before the last change
 * @property {"person" | "controller"} [by]
 *
 * @typedef {{ short: string, full: string }} Unused why a control does nothing
 *
 * @typedef {object} Circumstances
 * @property {Unused | null} unused
 * @property {{ step: number } | null} past the moment looked back at
 * @property {string | null} problem why the last change was refused
 * @property {boolean} isWaiting a change is under way
 * @property {string} restsBy what multiplies it and is 0; empty while it acts
 */

/**
 * @param {Truth} truth
 * @param {Circumstances} now
 * @returns {{ state: string, text: string }} the state is that of `data-state`
 */
export function noteOf({ applied, step, before, by, requested }, { unused, past, problem, isWaiting, restsBy }) {
  if (unused) return { state: "unused", text: unused.short };
  if (past) return { state: "past", text: `in force at step ${count(past.step)}` };
  if (problem) return { state: "wrong", text: problem };
  if (isWaiting || requested !== applied) {
    return { state: "waiting", text: `${setting(applied)} in force, waiting for the next step…` };
  }
  if (before !== undefined && before !== applied) {
    const moved = `${setting(before)} → ${setting(applied)}`;
    if (by === "controller") return { state: "steered", text: `${moved} by the controller, step ${count(step)}` };
    return { state: "changed", text: `${moved} at step ${count(step)}` };
  }
  if (restsBy) return { state: "rests", text: `rests: ${restsBy} is 0` };
  return { state: "calm", text: step > 0 ? `applied at step ${count(step)}` : "" };
}
