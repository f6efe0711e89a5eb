// Conflict of the experts' gradients, the mean of the last steps: hatched where two share no dimension.

import { WINDOW_STEPS, topOf, TOPS } from "../core/clashes.js";
import { colours } from "../core/colours.js";
import { targetOf } from "../core/focus.js";
import { bound, cell, percent } from "../core/format.js";
import { NO_VALUE } from "./cells.js";
import { legendBar, legendItem } from "./legend.js";
import { LABEL_WIDTH, expert, extremes, idlers, level } from "./picture.js";

/** @import { Picture } from "./picture.js" */

const LEAST_PRINTED = 0.005;
const CLASHING = "clashing gradients";
const ONE_STEP = `${CLASHING}, this step`;
const STRONG = 0.75; // of the scale

/** The window in words while it fills; undefined for a full one. @param {number} steps that were seen */
const soFar = (steps) => {
  if (steps >= WINDOW_STEPS) return undefined;
  return steps > 1 ? `${CLASHING}, last ${steps} steps` : ONE_STEP;
};

/** @type {Picture} */
export const conflict = {
  name: "conflict",
  title: "Conflict",
  subtitle: `${CLASHING}, last ${WINDOW_STEPS} steps`,
  why: "Two experts that share dimensions may want to change them in opposite ways. The redder, the stronger; training then cuts links between them.",
  needs: ["conflict"],
  isOf: (model) => model.hasTopology,
  absent: ({ full }) => `${full} has no topology matrix, so no subspaces conflict.`,
  legend: (_, matrix) => [
    "0",
    legendBar(colours.clash),
    bound(matrix?.top ?? TOPS[2]),
    legendItem("share nothing", { swatch: "swatch-hatch" }),
    legendItem("idle: under 1 %", { swatch: "swatch-ring" }),
  ],
  target: (row, col) => targetOf({ expert: row, other: col }),
  lit: ({ expert: row, other: col }) => ({ row, col }),

  matrix(layer, { step, clashes, leastTop = 0 }) {
    const { conflict: array, overlap } = layer;
    const { rows, cols } = array;
    const isMean = clashes !== null && clashes.mean.length === array.data.length;
    const data = isMean ? clashes.mean : array.data;
    const top = Math.max(leastTop, isMean ? clashes.top : topOf(data, TOPS[2]));
    const isBefore = step === 0;
    /**
     * @param {number} r
     * @param {number} c
     */
    const sharesNothing = (r, c) => overlap !== undefined && overlap.data[r * cols + c] === 0;
    const isIdle = idlers(layer);
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      isIdle,
      colLabels: expert,
      scale: () => colours.clash,
      level: (r, c) => {
        if (r === c || isBefore) return NO_VALUE.BLANK;
        if (sharesNothing(r, c)) return NO_VALUE.HATCH;
        const value = data[r * cols + c];
        return Number.isNaN(value) ? NO_VALUE.DOT : level(value / top);
      },
      text: (r, c) => (data[r * cols + c] >= LEAST_PRINTED ? cell(data[r * cols + c]) : ""),
      isStrong: (r, c) => data[r * cols + c] >= STRONG * top,
      read: (r, c) => {
        if (isBefore) return `E${r} and E${c}: no step yet`;
        if (r === c) return `E${r} with itself: no conflict is defined`;
        if (sharesNothing(r, c)) return `E${r} and E${c} share no dimension`;
        const value = data[r * cols + c];
        const shared = overlap ? `, ${percent(overlap.data[r * cols + c])} of the rank shared` : "";
        if (!Number.isNaN(value)) return `E${r} and E${c}: conflict ${value.toFixed(3)}${shared}`;
        const silent = [r, c].filter(isIdle).map(expert).join(" and ");
        if (silent) return `${silent} got no patch in the last steps`;
        return `E${r} and E${c}: one of them got no gradient on what they share`;
      },
      summary: () => (isBefore ? "No step yet." : extremes({ ...array, data }, expert, expert, "and")),
      note: isBefore ? "no step yet" : undefined,
      top,
      subtitle: isBefore ? CLASHING : isMean ? soFar(clashes.steps) : ONE_STEP,
    };
  },
};
