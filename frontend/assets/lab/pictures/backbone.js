// How many experts hold each dimension of the shared backbone, under the columns of its blocks.

import { colours } from "../core/colours.js";
import { targetOf } from "../core/focus.js";
import { NO_VALUE } from "./cells.js";
import { FONT, smallPx } from "./lettering.js";
import { LABEL_WIDTH, block } from "./picture.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Picture } from "./picture.js" */

/** @type {Picture} */
export const backbone = {
  name: "backbone",
  title: "Backbone",
  subtitle: "experts holding each of its dimensions",
  why: "Experts own no weights: each holds a fixed number of the backbone's dimensions, those that its links favour most. The bars count who holds each one.",
  lens: "matrix",
  needs: ["subspace"],
  isOf: (model) => model.hasTopology,
  absent: ({ full, owns }) => `${full} has no shared backbone to divide: ${owns}.`,
  target: (_, col) => targetOf({ block: col }),
  lit: ({ block: col }) => ({ row: null, col }),

  matrix({ subspace }, { hello: { dims, partitions } }) {
    const experts = subspace.rows;
    const width = dims / partitions;
    const holders = countHolders(subspace, dims);
    return {
      rows: 1,
      cols: partitions,
      labelWidth: LABEL_WIDTH,
      rowLabels: () => "",
      colLabels: null,
      scale: () => colours.sigma,
      level: () => NO_VALUE.BLANK,
      text: () => "",
      paint: (c, g) => {
        c.font = `400 ${smallPx()}px ${FONT}`;
        c.fillStyle = colours.muted;
        c.textAlign = "right";
        c.fillText(String(experts), g.left - 8, 6);
        c.fillText("0", g.left - 8, g.cellHeight - 6);
        for (let p = 0; p < partitions; p++) {
          const box = { x: g.left + p * g.cellWidth, y: 0, width: g.cellWidth - 3, height: g.cellHeight };
          paintHolders(c, box, holders.subarray(p * width, (p + 1) * width), experts);
        }
      },
      read: (_, p) => {
        const most = Math.max(...holders.subarray(p * width, (p + 1) * width));
        return `Block ${block(p)}: at most ${most} of ${experts} experts hold one of its dimensions`;
      },
      summary: () => {
        const shared = holders.filter((count) => count > 1).length;
        const free = holders.filter((count) => count === 0).length;
        return `Of ${dims} dimensions ${shared} are held by several experts, ${free} by none.`;
      },
    };
  },
};

/**
 * Experts that hold each dimension, from bit-packed subspaces [E, ceil(R / 8)], first dimension in the highest bit.
 *
 * @param {FrameArray} subspace
 * @param {number} dims
 */
export function countHolders({ rows, cols, data }, dims) {
  const holders = new Uint16Array(dims);
  for (let e = 0; e < rows; e++) {
    for (let dim = 0; dim < dims; dim++) holders[dim] += (data[e * cols + (dim >> 3)] >> (7 - (dim & 7))) & 1;
  }
  return holders;
}

/** How many dimensions an expert holds. @param {FrameArray} subspace @param {number} e @param {number} dims */
export const heldBy = ({ cols, data }, e, dims) =>
  countHolders({ rows: 1, cols, data: data.subarray(e * cols, (e + 1) * cols) }, dims).reduce((a, b) => a + b, 0);

/**
 * A block's dimensions from left to right, the holders of each as a bar.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {Uint16Array} holders
 * @param {number} experts
 */
function paintHolders(c, { x, y, width, height }, holders, experts) {
  c.fillStyle = colours.control;
  c.fillRect(x, y, width, height);
  c.fillStyle = colours.held;
  const each = width / holders.length;
  for (let start = 0; start < holders.length;) {
    let end = start + 1;
    while (end < holders.length && holders[end] === holders[start]) end++; // one bar, without seams
    const h = (holders[start] / experts) * height;
    c.fillRect(x + start * each, y + height - h, (end - start) * each, h);
    start = end;
  }
}
