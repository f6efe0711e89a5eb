// Conflict of the experts' last gradients: hatched without overlap, a dot where an expert was idle.

import { colours } from "../core/colours.js";
import { cell, percent } from "../core/format.js";
import { legendBar, legendItem } from "./legend.js";
import { NO_VALUE } from "./matrix.js";
import { LABEL_WIDTH, expert, extremes, level } from "./picture.js";

/** @import { Picture } from "./picture.js" */

const GAMMA = 0.5; // weak conflicts stay visible
const LEAST_PRINTED = 0.005;

/** @type {Picture} */
export const conflict = {
  name: "conflict",
  title: "Gradient conflict",
  subtitle: "last step, shared dimensions only",
  shape: "square",
  needs: ["conflict"],
  isOf: (model) => model.hasTopology,
  absent: ({ full }) => `${full} has no topology matrix, so no subspaces conflict.`,
  legend: () => [
    "0",
    legendBar(colours.opposition, (s) => s ** GAMMA),
    "1",
    legendItem("no overlap", { swatch: "swatch-hatch" }),
    legendItem("idle", { swatch: "swatch-dot" }),
  ],

  matrix({ conflict: array, overlap, load }) {
    const { rows, cols, data } = array;
    /** @param {number} e */
    const isIdle = (e) => load !== undefined && load.data[e] === 0;
    /**
     * @param {number} r
     * @param {number} c
     */
    const why = (r, c) => (overlap !== undefined && overlap.data[r * cols + c] === 0 ? NO_VALUE.HATCH : NO_VALUE.DOT);
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      colLabels: expert,
      scale: () => colours.opposition,
      level: (r, c) => {
        if (r === c) return NO_VALUE.BLANK;
        const value = data[r * cols + c];
        return Number.isNaN(value) ? why(r, c) : level(value ** GAMMA);
      },
      text: (r, c) => (data[r * cols + c] >= LEAST_PRINTED ? cell(data[r * cols + c]) : ""),
      read: (r, c) => {
        if (r === c) return `E${r} with itself: no conflict is defined`;
        const value = data[r * cols + c];
        const shared = overlap ? `, ${percent(overlap.data[r * cols + c])} of the rank shared` : "";
        if (!Number.isNaN(value)) return `E${r} and E${c}: conflict ${value.toFixed(3)}${shared}`;
        if (why(r, c) === NO_VALUE.HATCH) return `E${r} and E${c} share no dimension`;
        const silent = [r, c].filter(isIdle).map(expert).join(" and ");
        if (silent) return `${silent} got no token in the last step`;
        return `E${r} and E${c}: the last step gave one of them no gradient on what they share`;
      },
      summary: () => extremes(array, expert, expert, "and"),
    };
  },
};
