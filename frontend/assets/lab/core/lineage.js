// Which epochs the run shown is made of: one that goes on from a checkpoint has those before it up to that step.

/** @import { FrameArray } from "./frames.js" */
/** @import { RunEvent } from "./told.js" */

/** @typedef {{ epoch: number, upto: number }} Stretch the steps of an epoch that count; Infinity for all */

/**
 * @param {FrameArray | null} table [epochs, 2], newest first: epoch and its last step that counts, -1 for all
 * @param {number} epoch the one shown, where there is no table
 * @returns {Stretch[]}
 */
export function lineageOf(table, epoch) {
  if (!table || !table.rows) return [{ epoch, upto: Infinity }];
  return Array.from({ length: table.rows }, (_, row) => {
    const upto = table.data[2 * row + 1];
    return { epoch: table.data[2 * row], upto: upto < 0 ? Infinity : upto };
  });
}

/**
 * Whether something at a step of an epoch is of the run shown.
 *
 * @param {Stretch[]} lineage
 * @param {{ epoch: number, step: number }} moment
 */
export const isIn = (lineage, { epoch, step }) =>
  lineage.some((stretch) => stretch.epoch === epoch && step <= stretch.upto);

/** Events of the run shown. @param {RunEvent[]} events @param {Stretch[]} lineage */
export const eventsIn = (events, lineage) => events.filter((event) => isIn(lineage, event));
