// Shortcuts for the whole page. Typing in a field and pressing a focused button stay what they are.

import { settings } from "../core/settings.js";

const TYPING = 'input:not([type="range"]), select, textarea';

const actions = new Map(
  settings.shortcuts.flatMap(({ action, keys }) => keys.map((key, i) => [key, { action, place: i }])),
);

const KEPT_AS = "single keys";
const OFF = "off";

/** Whether keys of one character act on the whole page; a person can switch that off. */
export const singleKeysAct = () => localStorage.getItem(KEPT_AS) !== OFF;

/** @param {boolean} act */
export function setSingleKeys(act) {
  if (act) localStorage.removeItem(KEPT_AS);
  else localStorage.setItem(KEPT_AS, OFF);
}

/**
 * Listen until the page ends. `act` has a function for every action of the settings, which is given the key's place
 * among those of its action; `dismiss` is called at Escape; `isBlocked` while a dialog has the keyboard.
 *
 * @param {Record<string, (place: number) => void>} act
 * @param {{ dismiss: () => void, isBlocked: () => boolean }} page
 */
export function listen(act, { dismiss, isBlocked }) {
  const unknown = settings.shortcuts.find(({ action }) => !(action in act));
  if (unknown) throw new Error(`Every shortcut must have its action on the page. Found none for ${unknown.action}.`);
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return;
    if (key === "Escape") {
      dismiss();
      return;
    }
    if (target.matches(TYPING) || isBlocked()) return;
    if (key === " " && target.matches("button, a, summary, input")) return;
    if (key === "End" && target.matches('input[type="range"]:not([data-part="scrub"])')) return;
    const found = actions.get(key.toLowerCase());
    if (!found || (key.length === 1 && !singleKeysAct())) return;
    event.preventDefault();
    if (!event.repeat) act[found.action](found.place);
  });
}
