// What is said of an expert, a block or a task that is pointed at.

import { percent, shortName } from "../core/format.js";
import { CUT } from "../core/story.js";
import { heldBy } from "./backbone.js";
import { IDLE_BELOW, block, expert, shares } from "./picture.js";
import { mainTask } from "./threads.js";

/** @import { LayerArrays } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Context } from "./picture.js" */

/** @typedef {{ title: string, text: string, facts: [string, string][] }} About value and what it is, for each fact */

const NAMED = 2; // borrowed blocks, or holders

/** @param {number} value */
const hundredths = (value) => value.toFixed(2).replace(/^0/, "");

/**
 * @param {Target} target
 * @param {LayerArrays} layer
 * @param {Context} context
 * @returns {About | null}
 */
export function about(target, layer, context) {
  if (target.expert !== null) return aboutExpert(target.expert, layer, context);
  if (target.block !== null) return aboutBlock(target.block, layer);
  if (target.task !== null) return aboutTask(target.task, layer, context);
  return null;
}

/**
 * @param {number} e
 * @param {LayerArrays} layer
 * @param {Context} context
 * @returns {About}
 */
function aboutExpert(e, layer, { hello, clashes }) {
  const { connection, conflict, subspace } = layer;
  const of = shares(layer);
  const task = mainTask(layer, e);
  const mostly =
    task === null ? "" : `, mostly ${hello.tasks[task] ? shortName(hello.tasks[task].label) : `task ${task}`}`;
  const work = of ? `${percent(of[e])} of the work${of[e] > 0 ? mostly : ""}. ` : "";
  /** @type {[string, string][]} */
  const facts = [];
  if (!connection) return { title: `Expert ${e}`, text: work.trim(), facts };
  const row = connection.data.subarray(e * connection.cols, (e + 1) * connection.cols);
  const cut = row.filter((value) => value < CUT).length;
  if (subspace) facts.push([String(heldBy(subspace, e, hello.dims)), "dimensions"]);
  facts.push([String(cut), cut === 1 ? "link cut" : "links cut"]);
  if (conflict) {
    const values = clashes?.mean.length === conflict.data.length ? clashes.mean : conflict.data;
    const worst = Math.max(
      ...Array.from(values.subarray(e * conflict.cols, (e + 1) * conflict.cols), (value, f) =>
        Number.isNaN(value) || f === e ? -1 : value,
      ),
    );
    facts.push([worst < 0 ? "none" : hundredths(worst), "worst clash"]);
  }
  return { title: `Expert ${e}`, text: work + borrowing(row, e, connection.rows === connection.cols), facts };
}

/**
 * @param {ArrayLike<number>} row
 * @param {number} e
 * @param {boolean} hasOwn
 */
function borrowing(row, e, hasOwn) {
  const own = hasOwn ? (row[e] < CUT ? "Lost its own block" : `Keeps ${hundredths(row[e])} of its own block`) : "";
  const others = Array.from(row, (value, p) => ({ value, p }))
    .filter(({ value, p }) => value >= CUT && !(hasOwn && p === e))
    .sort((a, b) => b.value - a.value);
  const named = others.slice(0, NAMED).map(({ value, p }) => `${hundredths(value)} of ${block(p)}`);
  const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : "";
  if (!named.length) return own ? `${own}, borrows nothing.` : "Borrows nothing.";
  const borrows = `${own ? "borrows" : "Borrows"} ${named.join(", ")}${more}.`;
  return own ? `${own}, ${borrows}` : borrows;
}

/**
 * @param {number} p
 * @param {LayerArrays} layer
 * @returns {About | null}
 */
function aboutBlock(p, { connection }) {
  if (!connection) return null;
  const { rows, cols, data } = connection;
  const holders = Array.from({ length: rows }, (_, e) => ({ e, value: data[e * cols + p] }))
    .filter(({ value }) => value >= CUT)
    .sort((a, b) => b.value - a.value);
  const named = holders.slice(0, NAMED + 1).map(({ e, value }) => `${expert(e)} ${hundredths(value)}`);
  const more = holders.length > named.length ? ` and ${holders.length - named.length} more` : "";
  const text = named.length ? `Borrowed by ${named.join(", ")}${more}.` : "Every link to it is cut.";
  return {
    title: `Block ${p}`,
    text,
    facts: [
      [String(holders.length), holders.length === 1 ? "link" : "links"],
      [String(rows - holders.length), "cut"],
    ],
  };
}

/**
 * @param {number} q
 * @param {LayerArrays} layer
 * @param {Context} context
 * @returns {About | null}
 */
function aboutTask(q, { routing: told, routing_blind: blind }, { hello }) {
  const task = hello.tasks[q];
  if (!told || !task) return null;
  const most = Array.from({ length: told.cols }, (_, e) => ({ e, share: told.data[q * told.cols + e] }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  const named = most.slice(0, NAMED + 1).map(({ e, share }) => `${percent(share)} to ${expert(e)}`);
  const text = named.length ? `With ID its patches go ${named.join(", ")}.` : "None of its patches were seen yet.";
  /** @type {[string, string][]} */
  const facts = [[String(most.filter(({ share }) => share >= IDLE_BELOW).length), "experts"]];
  let kept = blind ? 0 : NaN;
  for (let i = q * told.cols; blind && i < (q + 1) * told.cols; i++) kept += Math.min(told.data[i], blind.data[i]);
  if (!Number.isNaN(kept)) facts.push([percent(kept), "alike without ID"]);
  return { title: task.label, text, facts };
}
