// Which run a page shows when it comes: the one that its link names, else the one that goes on.

import { recipeOf } from "./core/recipe.js";
import { recordedName } from "./core/recorded.js";
import { request, runPath } from "./core/requests.js";
import { statusOf } from "./core/settings.js";
import { twinLensOf } from "./twin/twin_figure.js";

/** @import { Run } from "./core/told.js" */
/** @import { RunView } from "./run_view.js" */

const ASK_AGAIN_MS = 1000; // for a server that does not answer
const NEXT_LOOK_MS = 3000; // for the first run, while there is none

export class Arrival {
  #timer = 0;
  #view;
  #ended;

  /**
   * @param {RunView} view
   * @param {AbortSignal} ended
   */
  constructor(view, ended) {
    this.#view = view;
    this.#ended = ended;
    ended.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /**
   * Show a run that a link names, if there is one, beside those that it is compared with.
   *
   * @param {string} runId
   * @param {string[]} [beside]
   * @param {string} [lens] of the comparison
   * @param {string} [recipe] of the run, for where it is not here
   * @param {number | null} [step] that the link looks at
   */
  async linked(runId, beside = [], lens, recipe, step = null) {
    const { notice, comparison } = this.#view;
    const answer = await request("GET", runPath(runId));
    if (answer.status === 404 && recordedName(runId) !== null) {
      notice.noRecording(answer.reason);
      return;
    }
    if (answer.status === 404) {
      const runs = await request("GET", "/api/runs");
      /** @type {Run[]} */
      const known = runs.ok ? runs.body : [];
      const nearest = known.find((run) => beside.includes(run.run_id)) ?? known[0] ?? null;
      notice.deadLink(runId, nearest, recipeOf(recipe), step);
      return;
    }
    this.#view.open(runId);
    if (!beside.length) return;
    await comparison.openLinked(beside);
    comparison.setLens(twinLensOf(lens));
  }

  /** Show the run that goes on, else the newest; while there is none, say so and look again. */
  async newest() {
    const view = this.#view;
    clearTimeout(this.#timer);
    const answer = await request("GET", "/api/runs");
    if (this.#ended.aborted || view.stream.runId) return; // a lesson of the class may have come first
    if (!answer.ok) {
      view.notice.noServer(answer.reason);
      this.#timer = window.setTimeout(() => this.newest(), ASK_AGAIN_MS);
      return;
    }
    /** @type {Run[]} */
    const runs = answer.body;
    const newest = runs.find((run) => statusOf(run.status).active) || runs[0];
    if (newest) {
      view.open(newest.run_id);
      return;
    }
    view.refresh();
    view.notice.noRun();
    this.#timer = window.setTimeout(() => view.stream.runId || this.newest(), NEXT_LOOK_MS);
  }
}
