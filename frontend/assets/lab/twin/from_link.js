// A comparison that a link names: which of its runs are here, and one sentence about the first that is wrong.

import { MOST_RUNS, differencesOf, nearestTo } from "./choice.js";

/** @import { ListedRun } from "../core/messages.js" */

/**
 * @typedef {object} Wrong
 * @property {string} sentence
 * @property {string | null} instead the nearest run, where a run is not here
 */

/**
 * @param {string[]} runIds that the link names
 * @param {string} own the run shown
 * @param {ListedRun[]} runs that are here, newest first
 * @returns {{ found: string[], wrong: Wrong | null }}
 */
export function fromLink(runIds, own, runs) {
  const wanted = [...new Set(runIds)].filter((runId) => runId && runId !== own);
  const isHere = (/** @type {string} */ runId) => runs.some((run) => run.run_id === runId);
  const found = wanted.filter(isHere);
  const missing = wanted.find((runId) => !isHere(runId));
  if (missing !== undefined) return { found, wrong: gone(missing, own, runs, found.slice(0, MOST_RUNS - 1)) };
  /** @param {string} sentence */
  const wrong = (sentence) => ({ found, wrong: { sentence, instead: null } });
  if (runIds.includes(own) && !wanted.length) {
    return wrong(`The link compares the run “${own}” with itself: choose another under Compare.`);
  }
  if (wanted.length > MOST_RUNS - 1) {
    return wrong(`The link names ${wanted.length + 1} runs: the first ${MOST_RUNS} are shown.`);
  }
  return { found, wrong: null };
}

/**
 * A run is not here: say so, with the nearest that is.
 *
 * @param {string} runId
 * @param {string} own
 * @param {ListedRun[]} runs
 * @param {string[]} beside that are compared already
 * @returns {Wrong}
 */
function gone(runId, own, runs, beside) {
  const shown = runs.find((run) => run.run_id === own);
  const others = runs.filter((run) => !beside.includes(run.run_id));
  const nearest = shown && nearestTo(shown, others);
  const sentence = `There is no run “${runId.slice(0, 40)}” to compare with`;
  if (!nearest) return { sentence: `${sentence}, and no other: fork this one under Compare.`, instead: null };
  const apart = differencesOf(shown, nearest).map(({ text }) => text);
  const name = `“${nearest.name}”${apart.length ? ` (${apart.slice(0, 2).join(", ")})` : ""}`;
  const isFork = nearest.parent?.run_id === own;
  const what = isFork ? `the nearest is the newest fork of this run, ${name}` : `the nearest is ${name}`;
  return { sentence: `${sentence}; ${what}.`, instead: nearest.run_id };
}
