// A link to what is shown: run, layer and lens, the moment looked at, and the recipe for where the run is not.

import { recipeInLink } from "./core/recipe.js";

/** @import { Frame } from "./core/frames.js" */
/** @import { NewRun } from "./controls/new_run.js" */
/** @import { Model } from "./core/model.js" */
/** @import { RunEvent } from "./core/told.js" */

/** What stands behind # in a link to the moment looked at. @param {Frame | null} pinned the moment looked back at */
export function placeOf(pinned) {
  const entries = new URLSearchParams(location.hash.slice(1));
  if (pinned) entries.set("step", String(pinned.step));
  return entries;
}

/**
 * @param {Model} model
 * @param {Frame | null} pinned the moment looked back at
 * @param {RunEvent[]} events of the run
 * @param {NewRun["configOf"]} configOf what a preset sets
 */
export function linkTo({ hello, isRecorded }, pinned, events, configOf) {
  const entries = placeOf(pinned);
  const usual = hello && configOf(hello.config.preset);
  const recipe = hello && !isRecorded ? recipeInLink(hello.config, usual ?? undefined, events) : null;
  if (recipe) entries.set("recipe", recipe);
  return `${location.origin}${location.pathname}#${entries}`;
}
