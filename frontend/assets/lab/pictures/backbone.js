// Which dimensions of the shared backbone each expert holds, and how many experts hold each dimension.

import { colours } from "../core/colours.js";
import { legendItem } from "./legend.js";
import { LABEL_WIDTH, block } from "./picture.js";

/** @import { Geometry } from "./matrix.js" */
/** @import { Picture } from "./picture.js" */

/** Rows below the experts' for the number of holders. */
const COUNT_ROWS = 2;

/** What an expert is to a dimension. */
const NOT_HELD = 0;
const OTHERS = 1;
const OWN = 2;
const SHARED = 2; // is added

/** @type {Picture} */
export const backbone = {
  name: "backbone",
  title: "Backbone",
  subtitle: "who holds which dimensions",
  shape: "band",
  needs: ["subspace"],
  isOf: (model) => model.hasTopology,
  absent: ({ full, owns }) => `${full} has no shared backbone to divide: ${owns}.`,
  legend: (hello) => {
    const hasOwn = !hello || hello.experts === hello.partitions;
    const held = hasOwn
      ? [legendItem("own", { colour: colours.high }), legendItem("others'", { colour: colours.low })]
      : [legendItem("held", { colour: colours.low })];
    return [...held, legendItem("thin: shared", { swatch: "swatch-thin" })];
  },

  /** The bit-packed subspaces [E, ceil(R / 8)], first dimension in the highest bit. */
  matrix({ subspace }, { hello: { dims, partitions } }) {
    const { rows, cols, data } = subspace;
    const width = dims / partitions;
    const own = rows === partitions;
    /**
     * @param {number} e
     * @param {number} dim
     */
    const holds = (e, dim) => (data[e * cols + (dim >> 3)] >> (7 - (dim & 7))) & 1;
    const holders = new Uint16Array(dims);
    for (let e = 0; e < rows; e++) for (let dim = 0; dim < dims; dim++) holders[dim] += holds(e, dim);
    return {
      rows: rows + COUNT_ROWS,
      cols: partitions,
      labelWidth: LABEL_WIDTH,
      rowLabels: (e) => (e < rows ? `E${e}` : e === rows ? "" : "all"),
      colLabels: null,
      scale: () => colours.diverging,
      level: () => NOT_HELD,
      text: () => "",
      paint: (c, g) => {
        paintSubspaces(c, g, { rows, dims, width, own, holds, holders });
        paintHolders(c, g, { rows, dims, width, holders });
      },
      read: (e, p) => {
        if (e >= rows) {
          const most = Math.max(...holders.subarray(p * width, (p + 1) * width));
          return `Block ${block(p)}: at most ${most} of ${rows} experts hold one of its dimensions`;
        }
        let [held, shared] = [0, 0];
        for (let dim = p * width; dim < (p + 1) * width; dim++) {
          held += holds(e, dim);
          shared += holds(e, dim) && holders[dim] > 1 ? 1 : 0;
        }
        const place = `${own && e === p ? "its own block" : "block"} ${block(p)}`;
        return `E${e} holds ${held} of the ${width} dimensions of ${place}, ${shared} of them together with others`;
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
 * A bar for every run of dimensions that an expert holds alike; thinner where others hold them too.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {{ rows: number, dims: number, width: number, own: boolean, holds: (e: number, dim: number) => number, holders: Uint16Array }} of
 */
function paintSubspaces(c, g, { rows, dims, width, own, holds, holders }) {
  const dimWidth = g.cellWidth / width;
  const barHeight = Math.max(1, g.cellHeight - Math.max(1, g.gap));
  for (let e = 0; e < rows; e++) {
    /** @param {number} dim */
    const kind = (dim) =>
      holds(e, dim)
        ? (own && Math.floor(dim / width) === e ? OWN : OTHERS) + (holders[dim] > 1 ? SHARED : 0)
        : NOT_HELD;
    const y = g.top + e * g.cellHeight;
    c.fillStyle = colours.ground;
    c.fillRect(g.left, y, dims * dimWidth, barHeight);
    for (let start = 0; start < dims;) {
      const what = kind(start);
      let end = start + 1;
      while (end < dims && kind(end) === what) end++;
      if (what !== NOT_HELD) {
        c.fillStyle = what === OTHERS || what === OTHERS + SHARED ? colours.low : colours.high;
        const inset = what > OWN ? Math.round(barHeight * 0.25) : 0;
        c.fillRect(g.left + start * dimWidth, y + inset, (end - start) * dimWidth, barHeight - 2 * inset);
      }
      start = end;
    }
  }
}

/**
 * How many experts hold each dimension, as bars on one line.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {{ rows: number, dims: number, width: number, holders: Uint16Array }} of
 */
function paintHolders(c, g, { rows, dims, width, holders }) {
  const dimWidth = g.cellWidth / width;
  const base = g.top + (rows + COUNT_ROWS) * g.cellHeight - 1;
  const height = COUNT_ROWS * g.cellHeight - 4;
  c.fillStyle = colours.muted;
  for (let dim = 0; dim < dims; dim++) {
    const h = (holders[dim] / rows) * height;
    c.fillRect(g.left + dim * dimWidth, base - h, Math.max(1, dimWidth), h);
  }
  c.fillRect(g.left, base, dims * dimWidth, 1);
}
