// What makes a run again, as a link carries it: preset, seed, what its config has otherwise, and edits after their steps.

/** @import { PartOfAConfig, RunConfig } from "./messages.js" */
/** @import { ControlValues, RunEvent } from "./told.js" */

const MOST = 1500; // characters

/** @typedef {{ config: PartOfAConfig, edits: { step: number, controls: ControlValues }[] }} Recipe */

/**
 * The edits of a run by people, after their steps.
 *
 * @param {RunEvent[]} events of the run shown, oldest first
 */
export const editsOf = (events) =>
  events
    .filter(
      ({ kind, data }) => kind === "applied" && data.command?.type === "set" && (data.by ?? "person") === "person",
    )
    .map(({ step, data }) => ({ step, controls: /** @type {ControlValues} */ ({ ...data.new }) }));

/**
 * The recipe of a run as text; null where it is too long for a link.
 *
 * @param {RunConfig} config
 * @param {RunConfig | undefined} preset that it names
 * @param {RunEvent[]} events
 */
export function recipeInLink(config, preset, events) {
  /** @param {"model" | "train" | "controls"} section */
  const apart = (section) => {
    const usual = /** @type {Record<string, unknown>} */ ({ ...preset?.[section] });
    return Object.fromEntries(Object.entries(config[section]).filter(([name, value]) => usual[name] !== value));
  };
  const parts = { preset: config.preset, model: apart("model"), train: apart("train"), controls: apart("controls") };
  const kept = Object.entries(parts).filter(([, part]) => typeof part === "string" || Object.keys(part).length);
  const seed = { ...parts.train, seed: config.train.seed };
  const text = JSON.stringify({ config: { ...Object.fromEntries(kept), train: seed }, edits: editsOf(events) });
  return text.length > MOST ? null : text;
}

/**
 * The recipe that a link carries; null where there is none, a sentence where it cannot be read.
 *
 * @param {string | undefined} text
 * @returns {Recipe | string | null}
 */
export function recipeOf(text) {
  if (!text) return null;
  const wrong = "The link's recipe must be an object of config and edits";
  if (text.length > MOST) return `${wrong}, at most ${MOST} characters. Found ${text.length}.`;
  try {
    const { config, edits } = JSON.parse(text);
    const isRead = config && typeof config === "object" && Array.isArray(edits);
    if (isRead && edits.every(({ step, controls }) => Number.isInteger(step) && controls)) return { config, edits };
    return `${wrong}, each edit with a whole step and controls. Found something else.`;
  } catch {
    return `${wrong}, as JSON. Found what cannot be read.`;
  }
}
