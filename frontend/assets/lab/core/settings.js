// What the server tells the page once, written in frontend/page_settings.py.

/**
 * @typedef {{ name: string, words: string, active: boolean, mark: string }} StatusText
 * @typedef {{ shown: string, meaning: string, action: string, keys: string[] }} Shortcut
 * @typedef {object} ControlSpec
 * @property {string} label its one name on the page
 * @property {string} name the same in words; empty where there are none
 * @property {string} short the name where there is little room; empty where it is short
 * @property {string} gloss what it does
 * @property {string} at_zero the gloss while it is 0; empty where that is the same
 * @property {number[]} ticks values written under the slider
 * @property {string} unit
 * @property {string} doc
 * @property {number} low
 * @property {number} high
 * @property {"linear" | "log" | "log0"} scale
 * @property {number} decades powers of ten that a slider with a zero covers below its highest value
 * @property {boolean} needs_topology whether it acts on A alone
 * @property {string} scaled_by the control that multiplies it, at whose 0 it rests; empty where there is none
 * @typedef {{ name: string, full: string, owns: string }} ArchitectureText
 * @typedef {object} PageSettings
 * @property {StatusText[]} statuses
 * @property {Shortcut[]} shortcuts
 * @property {Record<string, ControlSpec>} controls
 * @property {Record<string, ArchitectureText>} architectures
 * @property {number} max_seed
 * @property {string} version of the program
 */

/** @returns {PageSettings} */
function read() {
  const element = document.getElementById("page-settings");
  if (!element) throw new Error("The page must have an element #page-settings. Found none.");
  return JSON.parse(element.textContent || "");
}

export const settings = read();

const statuses = new Map(settings.statuses.map((status) => [status.name, status]));

/**
 * A status in words and its mark; one that the page does not know is shown as it is called.
 *
 * @param {string} name
 * @returns {StatusText}
 */
export function statusOf(name) {
  return statuses.get(name) || { name, words: name, active: false, mark: "idle" };
}
