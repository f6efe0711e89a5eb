// "What happened" of several runs in one list, each line by the letter of its run.

import { letterOf, PLACES } from "../charts/beside.js";
import { linesOf } from "../shell/event_log.js";

/** @import { RunEvent } from "../core/told.js" */
/** @import { Line } from "../shell/event_log.js" */

/**
 * @param {RunEvent[][]} events of each run, oldest first, A's first
 * @param {number} layer
 * @param {number} epoch of A, by which a line is jumped to
 * @returns {Line[]} newest first
 */
export const linesOfAll = (events, layer, epoch) =>
  events
    .flatMap((own, i) =>
      linesOf(own, layer).map((line) => ({ ...line, epoch, title: `${letterOf(PLACES[i])}: ${line.title}` })),
    )
    .sort((a, b) => b.step - a.step);
