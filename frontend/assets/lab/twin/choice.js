// Which runs can be compared with one, what sets each apart from it, and in which order they are offered.

import { setting } from "../core/format.js";
import { settings } from "../core/settings.js";

/** @import { ListedRun } from "../core/messages.js" */

/** Runs that are shown at once, the page's own among them. */
export const MOST_RUNS = 4;

/**
 * A setting in which a run differs from another.
 *
 * @typedef {object} Difference
 * @property {string} name of the field
 * @property {string} text its name on the page and the run's value: "λ 0", "seed 3"
 */

/** What makes a run what it is, by the names of the fields. @param {ListedRun} run @returns {Record<string, unknown>} */
export const settingsOf = ({ preset, seed, settings: own, controls }) => ({
  preset,
  seed,
  ...own,
  ...controls.applied,
});

/**
 * A setting in words.
 *
 * @param {string} name
 * @param {unknown} value undefined where the run has its preset's
 */
function inWords(name, value) {
  if (name === "preset") return String(value);
  const label = name in settings.controls ? settings.controls[name].label : name.replaceAll("_", " ");
  const told = typeof value === "number" ? setting(value) : value === undefined ? "as in the preset" : String(value);
  return `${label} ${told}`;
}

/**
 * In what a run differs from another, controls first.
 *
 * @param {ListedRun} own
 * @param {ListedRun} other
 * @returns {Difference[]} in the words of `other`
 */
export function differencesOf(own, other) {
  const [here, there] = [settingsOf(own), settingsOf(other)];
  const names = [...new Set([...Object.keys(settings.controls), ...Object.keys(here), ...Object.keys(there)])];
  return names.filter((name) => here[name] !== there[name]).map((name) => ({ name, text: inWords(name, there[name]) }));
}

/** Whether one run was forked from the other, or both from the same. @param {ListedRun} a @param {ListedRun} b */
export function areTwins(a, b) {
  const [from, to] = [a.parent?.run_id, b.parent?.run_id];
  return from === b.run_id || to === a.run_id || (from !== undefined && from === to);
}

/**
 * Runs to compare with one: of the same seed first, then twins, then those that differ in less; the newer first.
 *
 * @param {ListedRun} own
 * @param {ListedRun[]} runs newest first
 * @returns {ListedRun[]}
 */
export function choiceOrder(own, runs) {
  /** @param {ListedRun} run */
  const rank = (run) => [
    run.seed === own.seed ? 0 : 1,
    areTwins(own, run) ? 0 : 1,
    run.preset === own.preset ? 0 : 1,
    differencesOf(own, run).length,
  ];
  return runs
    .filter((run) => run.run_id !== own.run_id && run.step > 0)
    .map((run, place) => ({ run, ranks: [...rank(run), place] }))
    .sort((a, b) => a.ranks.reduce((found, value, i) => found || value - b.ranks[i], 0))
    .map(({ run }) => run);
}

/**
 * The run nearest to one that a link names and that is not there; null where there is none.
 *
 * @param {ListedRun} own
 * @param {ListedRun[]} runs newest first
 */
export const nearestTo = (own, runs) =>
  runs.find((run) => run.parent?.run_id === own.run_id && run.step > 0) ?? choiceOrder(own, runs)[0] ?? null;

/**
 * What a few runs are called beside each other: by what sets them apart, else by their names.
 *
 * @param {ListedRun[]} runs
 * @returns {string[]}
 */
export function namesOf(runs) {
  const all = runs.map(settingsOf);
  const names = [...new Set([...Object.keys(settings.controls), ...all.flatMap((each) => Object.keys(each))])];
  const apart = names.filter((name) => all.some((each) => each[name] !== all[0][name]));
  const shown = apart.slice(0, 2);
  const told = all.map((each) => shown.map((name) => inWords(name, each[name])).join(", "));
  const isTold = new Set(told).size === told.length;
  return runs.map((run, place) => (isTold ? told[place] : [told[place], run.name].filter(Boolean).join(", ")));
}
