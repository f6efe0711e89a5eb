// What makes a run again, as a link carries it: preset, seed, what its config has otherwise, and edits after their steps.

import { count } from "./format.js";
import { decodeRecording, inflated } from "./recording.js";
import { settings } from "./settings.js";

/** @import { PartOfAConfig, RunConfig } from "./messages.js" */
/** @import { ControlValues, RunEvent } from "./told.js" */

const MOST = 1500; // characters
const MOST_FILE = 16_000; // bytes
const MOST_TOLD = 4;
/** @type {("model" | "train" | "controls")[]} */
const SECTIONS = ["model", "train", "controls"];

/** @typedef {{ config: PartOfAConfig, edits: { step: number, controls: ControlValues }[] }} Recipe */

/**
 * The edits of a run by people and by its recipe, after their steps; what its own controller did follows by itself.
 *
 * Where a run went on from a checkpoint its recipe made the edits of that very step again, and what people had set
 * later counts from there.
 *
 * @param {RunEvent[]} events of the run shown, oldest first
 */
export function editsOf(events) {
  /** @type {Recipe["edits"]} */
  const edits = [];
  const byRecipe = new Set();
  for (const { kind, step, data } of events) {
    const isSet = kind === "applied" && data.command?.type === "set" && data.by !== "controller";
    const controls = isSet ? data.new : kind === "status" ? data.controls : null;
    if (!controls) continue;
    const key = JSON.stringify([step, controls]);
    if (data.by === "recipe" && byRecipe.has(key)) continue;
    if (data.by === "recipe") byRecipe.add(key);
    edits.push({ step, controls: /** @type {ControlValues} */ ({ ...controls }) });
  }
  return edits;
}

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
  if (text.length > MOST) return `The link's recipe must have at most ${MOST} characters. Found ${text.length}.`;
  return recipeIn(text, "The link's recipe");
}

/**
 * The recipe that a file holds, a recorded run or the recipe alone as JSON; a sentence where it cannot be read.
 *
 * @param {File} file
 * @returns {Promise<Recipe | string>}
 */
export async function recipeOfFile(file) {
  const called = `“${file.name.slice(0, 60)}”`;
  if (file.size > MOST_FILE) return `${called} must have at most ${MOST_FILE} bytes. Found ${file.size}.`;
  if (file.name.endsWith(".json")) return recipeIn(await file.text(), called);
  try {
    return checked(decodeRecording(await inflated(new Response(file))).recipe, called);
  } catch {
    return `${called} must be a recorded run, or a recipe as .json. Found what cannot be read.`;
  }
}

/** @param {string} text @param {string} called */
function recipeIn(text, called) {
  try {
    return checked(JSON.parse(text), called);
  } catch {
    return `${called} must be JSON. Found what cannot be read.`;
  }
}

/** @param {any} found @param {string} called @returns {Recipe | string} */
function checked(found, called) {
  const { config, edits } = found ?? {};
  const isRead = config && typeof config === "object" && !Array.isArray(config) && Array.isArray(edits);
  if (!isRead) return `${called} must be an object of config and edits. Found something else.`;
  const wrong = edits.findIndex((edit) => !Number.isInteger(edit?.step) || !edit.controls || edit.step < 0);
  if (wrong >= 0) return `Edit ${wrong + 1} of ${called} must have a whole step and controls. Found something else.`;
  return { config, edits };
}

/**
 * What a run from a recipe does, in one sentence.
 *
 * @param {Recipe} recipe
 * @param {{ seed?: number, pauseAt?: number | null, usual?: RunConfig }} [how] its seed where that is another, the step
 *   at which it pauses, and its preset
 */
export function recipeInWords({ config, edits }, { seed, pauseAt = null, usual } = {}) {
  const own = config.train?.seed ?? 0;
  const apart = usual ? differences(config, usual) : [];
  const parts = [
    `Trains ${config.preset ?? "live"}, seed ${seed ?? own}`,
    apart.length ? `, with ${shortened(apart)}` : "",
    seed === undefined || seed === own ? ", from step 0 again" : ", from step 0: another seed, so another run",
    edits.length ? `; it makes its ${countOf(edits.length, "change")} at the same steps: ${editsInWords(edits)}` : "",
    pauseAt === null ? "" : `; it pauses at step ${count(pauseAt)}, the moment of the link`,
  ];
  return `${parts.join("")}.`;
}

/** The edits of a recipe, the first of them. @param {Recipe["edits"]} edits */
export function editsInWords(edits) {
  const all = edits.map(({ step, controls }) => {
    const set = Object.entries(controls).map(([name, value]) => `${settings.controls[name]?.label ?? name} ${value}`);
    return `${set.join(" and ")} after step ${count(step)}`;
  });
  return shortened(all);
}

/** @param {PartOfAConfig} config @param {RunConfig} usual */
function differences(config, usual) {
  return SECTIONS.flatMap((section) => {
    const known = /** @type {Record<string, unknown>} */ ({ ...usual[section] });
    return Object.entries(config[section] ?? {})
      .filter(([name, value]) => name !== "seed" && known[name] !== value)
      .map(([name, value]) => `${settings.controls[name]?.label ?? name.replaceAll("_", " ")} ${value}`);
  });
}

/** @param {string[]} texts */
function shortened(texts) {
  const more = texts.length - MOST_TOLD;
  return `${texts.slice(0, MOST_TOLD).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** @param {number} many @param {string} what */
const countOf = (many, what) => (many === 1 ? what : `${many} ${what}s`);
