// What a picture declares, and what declarations are made of.

import { cell } from "../core/format.js";

/** @import { ArchitectureText } from "../core/settings.js" */
/** @import { FrameArray, LayerArrays } from "../core/frames.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Matrix } from "./matrix.js" */

/**
 * @typedef {{ hello: Hello, raw: boolean }} Context what is drawn beside a layer's arrays; `raw`: logits, not sigma(A)
 *
 * @typedef {object} Picture
 * @property {string} name
 * @property {string} title
 * @property {string} subtitle one line in plain words
 * @property {string} [spoken] the title for screen readers, where that differs
 * @property {"square" | "strip" | "band"} shape its room, fixed before data comes
 * @property {string[]} needs arrays of a layer without which it cannot be drawn
 * @property {(model: Model) => boolean} isOf whether the model has what it shows
 * @property {(words: ArchitectureText) => string} absent why there is no picture, one sentence
 * @property {(layer: LayerArrays, context: Context) => Matrix} matrix
 * @property {(hello: Hello | null, raw: boolean) => (Node | string)[]} [legend]
 * @property {number} [slots] how many layers are shown side by side, each chosen by itself; else the page's one layer
 * @property {{ text: string, title: string, raw: boolean }[]} [values] what its cells can print
 */

/** Room for the labels of rows such as E0, px. */
export const LABEL_WIDTH = 24;

/** @param {number} e */
export const expert = (e) => `E${e}`;
/** @param {number} p */
export const block = (p) => `B${p}`;
/** A share as one of 256 steps. @param {number} share */
export const level = (share) => Math.round(255 * Math.max(0, Math.min(1, share)));

/**
 * Largest and smallest entry, as one sentence.
 *
 * @param {FrameArray} array
 * @param {(row: number) => string} rowName
 * @param {(col: number) => string} colName
 * @param {string} verb
 */
export function extremes(array, rowName, colName, verb) {
  let [high, low] = [-1, -1];
  for (let i = 0; i < array.data.length; i++) {
    const value = array.data[i];
    if (Number.isNaN(value)) continue;
    if (high < 0 || value > array.data[high]) high = i;
    if (low < 0 || value < array.data[low]) low = i;
  }
  if (high < 0) return "No values yet.";
  /** @param {number} i */
  const place = (i) =>
    `${cell(array.data[i])} (${rowName(Math.floor(i / array.cols))} ${verb} ${colName(i % array.cols)})`;
  return `Largest ${place(high)}, smallest ${place(low)}.`;
}
