// What each model is called, and which controls do nothing for it.

import { settings } from "./settings.js";

/** @import { Model } from "./model.js" */
/** @import { ArchitectureText } from "./settings.js" */

const UNKNOWN = { full: "This model", owns: "each expert owns its weights" };

/**
 * @param {Model} model
 * @returns {ArchitectureText}
 */
export function architectureOf(model) {
  return settings.architectures[model.architecture] || { name: model.architecture, ...UNKNOWN };
}

/**
 * Why a control does nothing for this model; null where it does something.
 *
 * @param {Model} model
 * @param {string} control
 */
export function unused(model, control) {
  const { full } = architectureOf(model);
  if (!model.hasTopology && settings.controls[control]?.needs_topology) {
    return { short: "no effect: this model has no A", full: `${full} has no topology matrix A for this to act on.` };
  }
  if (control !== "p_drop") return null;
  if (model.architecture === "blind") {
    return { short: "no effect: no task ID to hide", full: `${full} never sees a task ID, so there is none to hide.` };
  }
  if (model.architecture === "dense") {
    return { short: "no effect: no router", full: `${full} has no router that could be given a task ID.` };
  }
  return null;
}
