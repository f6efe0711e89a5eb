// What events and sentences of the server say, in the page's words.

import { count, setting } from "./format.js";
import { settings } from "./settings.js";

/** @import { RunEvent } from "./told.js" */

/** @typedef {{ name: string, from: number | undefined, to: number }} Change of a control */

/** Numbers of four digits and more, but for a seed and for what was typed. */
const LONG = /(?<!Found |seed |[\w.,])\d{4,}(?![\w]|[.,]\d)/g;

/** @type {Record<string, string>} */
const COMMANDS = { set: "The change", run_until: "Run until" };
/** @type {Record<string, string>} */
const DONE = { pause: "Paused", resume: "Resumed", stop: "Stopped", checkpoint: "Saved" };

/** A control's one name on the page. @param {string} name */
const labelOf = (name) => settings.controls[name].label;

/**
 * A sentence of the server with the controls called as on the page and its numbers grouped.
 *
 * @param {string | null | undefined} text
 */
export function inWords(text) {
  const named = (text || "").replace(/\b[a-z_]+[a-z0-9_]*\b/g, (word) =>
    word in settings.controls ? labelOf(word) : word,
  );
  return named.replace(LONG, (digits) => count(Number(digits)));
}

/** @param {string} word */
const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** What an event says, with the command called as on the page. @param {RunEvent} event */
export function eventInWords({ text }) {
  const told = text
    .replace(/^([a-z_]+) was refused: /, (_, command) => `${COMMANDS[command] || capital(command)} was refused: `)
    .replace(/^([a-z]+) (?=at step )/, (all, command) => (DONE[command] ? `${DONE[command]} ` : all));
  return inWords(told);
}

/**
 * Controls an event changed.
 *
 * @param {RunEvent} event
 * @returns {Change[]}
 */
export function changes(event) {
  if (event.kind !== "applied") return [];
  const before = event.data.old || {};
  const after = event.data.new || {};
  return Object.keys(after)
    .filter((name) => name in settings.controls && after[name] !== before[name])
    .map((name) => ({ name, from: before[name], to: after[name] }));
}

/** @param {Change} change */
export function changeLabel({ name, from, to }) {
  return `${labelOf(name)} ${typeof from === "number" ? `${setting(from)} → ` : ""}${setting(to)}`;
}

/** Whether the run's own controller made a change, and no person. @param {RunEvent} event */
export const byController = (event) => event.data.by === "controller";
