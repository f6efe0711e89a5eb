// sigma(A) of a layer as a matrix: which expert borrows which block of the backbone.

import { colours } from "../core/colours.js";
import { targetOf } from "../core/focus.js";
import { cell } from "../core/format.js";
import { CUT } from "../core/story.js";
import { legendBar, legendItem } from "./legend.js";
import { LABEL_WIDTH, block, expert, extremes, idlers, level } from "./picture.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Picture } from "./picture.js" */

/** Above one half as it is written. */
const ABOVE_HALF = 0.505;

/** @type {Picture} */
export const topology = {
  name: "topology",
  title: "Topology",
  subtitle: "σ(A): who borrows which block",
  why: "A row is an expert, a column a block of the shared backbone. Near 1 the expert holds on to that block; below .1 the link is cut. A link to another expert’s block crosses.",
  lens: "matrix",
  needs: ["connection"],
  isOf: (model) => model.hasTopology,
  absent: ({ full, owns }) => `${full} has no topology matrix: ${owns}.`,
  scale: () => [legendItem("cut", { swatch: "swatch-dash" }), "0", legendBar(colours.sigma), "1"],
  legend: () => [
    legendItem("cut: below .1", { swatch: "swatch-dash" }),
    legendItem("idle: under 1 %", { swatch: "swatch-ring" }),
  ],
  target: (row, col) => targetOf({ expert: row, block: col }),
  lit: ({ expert: row, block: col }) => ({ row, col }),

  matrix(layer) {
    const { connection, topology_logits: logits } = layer;
    const { rows, cols, data } = connection;
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      isIdle: idlers(layer),
      colLabels: block,
      scale: () => colours.sigma,
      level: (r, c) => level(data[r * cols + c]),
      text: (r, c) => cell(data[r * cols + c]),
      isCut: (r, c) => data[r * cols + c] < CUT,
      isOwn: (r, c) => rows === cols && r === c,
      isStrong: (r, c) => data[r * cols + c] >= ABOVE_HALF,
      read: (r, c) => readLink(connection, logits, r, c),
      summary: () => extremes(connection, expert, block, "to"),
    };
  },
};

/**
 * A link as a sentence, the same in both lenses.
 *
 * @param {FrameArray} connection
 * @param {FrameArray | undefined} logits
 * @param {number} r
 * @param {number} c
 */
export function readLink({ rows, cols, data }, logits, r, c) {
  const i = r * cols + c;
  const target = `${rows === cols && r === c ? "its own block" : "block"} ${block(c)}`;
  const cut = data[i] < CUT ? ", cut" : "";
  const logit = logits ? `, A ${logits.data[i].toFixed(3)}` : "";
  return `E${r} to ${target}: σ(A) ${data[i].toFixed(3)}${logit}${cut}`;
}
