// What a picture declares, and what declarations are made of.

import { cell } from "../core/format.js";

/** @import { ArchitectureText } from "../core/settings.js" */
/** @import { Clashes } from "../core/clashes.js" */
/** @import { FrameArray, LayerArrays } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Matrix } from "./matrix.js" */

/**
 * @typedef {"matrix" | "threads"} Lens
 *
 * @typedef {object} Context what is drawn beside a layer's arrays
 * @property {Hello} hello
 * @property {number} step of the frame
 * @property {Clashes | null} clashes the running mean of conflict; null where a single stored frame is looked at
 * @property {Target | null} [target] what is under the pointer
 * @property {number} [leastTop] of an adapting scale, where another picture beside has the same
 *
 * @typedef {object} Picture
 * @property {string} name
 * @property {string} title
 * @property {string} subtitle one line in plain words
 * @property {string} why the same for someone who never saw one
 * @property {Lens} [lens] the only lens that shows it; without one it is always shown
 * @property {string[]} needs arrays of a layer without which it cannot be drawn
 * @property {(model: Model) => boolean} isOf whether the model has what it shows
 * @property {(words: ArchitectureText) => string} absent why there is no picture, one sentence
 * @property {(layer: LayerArrays, context: Context) => Matrix} matrix
 * @property {(matrix: Matrix | null) => (Node | string)[]} [scale] the scale, beside the title
 * @property {(hello: Hello | null, matrix: Matrix | null) => (Node | string)[]} [legend] under the picture
 * @property {(row: number, col: number) => Target} target what a cell is about
 * @property {(target: Target) => { row: number | null, col: number | null }} lit which row and column a target lights
 * @property {(layer: LayerArrays, context: Context) => string[][]} [table] the same in words, for who does not see it
 */

/** Whether a picture can be drawn of what is known of a model: of a recorded run that is σ(A) alone. @param {Picture} picture @param {Model} model */
export const isDrawn = (picture, model) =>
  picture.isOf(model) && (!model.isRecorded || picture.needs.every((name) => name === "connection"));

/** Room for a ring and a label such as E0, px. */
export const LABEL_WIDTH = 30;
/** An expert that gets less than this share of the patches is idle. */
export const IDLE_BELOW = 0.01;

/** @param {number} e */
export const expert = (e) => `E${e}`;
/** @param {number} p */
export const block = (p) => `B${p}`;
/** A share as one of 256 steps. @param {number} share */
export const level = (share) => Math.round(255 * Math.max(0, Math.min(1, share)));

/**
 * Each expert's share of the patches, or null where it is not told.
 *
 * @param {LayerArrays} layer
 */
export function shares({ load }) {
  if (!load) return null;
  let all = 0;
  for (const value of load.data) all += value;
  return all > 0 ? Array.from(load.data, (value) => value / all) : null;
}

/**
 * Whether an expert does next to nothing.
 *
 * @param {LayerArrays} layer
 * @returns {(e: number) => boolean}
 */
export function idlers(layer) {
  const of = shares(layer);
  return (e) => of !== null && of[e] < IDLE_BELOW;
}

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
