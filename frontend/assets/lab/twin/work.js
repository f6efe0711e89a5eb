// How much of the work each expert does, as a bar of its tasks' parts, in the rows of the matrix beside it.

import { colours, ofTask } from "../core/colours.js";
import { shortName } from "../core/format.js";
import { NO_VALUE } from "../pictures/cells.js";
import { expert } from "../pictures/picture.js";

/** @import { LayerArrays } from "../core/frames.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Matrix } from "../pictures/matrix.js" */

/** Ends that the scale can have, shares. */
const TOPS = [0.3, 0.5, 1];

/**
 * Each expert's share of the patches with ID, one part a task; null where it is not told.
 *
 * @param {LayerArrays | undefined} layer
 * @returns {number[][] | null} [experts][tasks]
 */
export function workOf(layer) {
  const routing = layer?.routing;
  if (!routing || Number.isNaN(routing.data[0])) return null;
  const { rows: tasks, cols: experts, data } = routing;
  return Array.from({ length: experts }, (_, e) =>
    Array.from({ length: tasks }, (__, q) => data[q * experts + e] / tasks),
  );
}

/** @param {number[]} parts */
const whole = (parts) => parts.reduce((sum, part) => sum + part, 0);

/** The end of a scale that holds all of these. @param {...(number[][] | null)} works */
export function topOf(...works) {
  const most = Math.max(0, ...works.flatMap((work) => work ?? []).map(whole));
  return TOPS.find((top) => most <= top) ?? 1;
}

/**
 * @param {number[][]} work
 * @param {Hello} hello
 * @param {number} top
 * @returns {Matrix}
 */
export function workMatrix(work, { tasks }, top) {
  const rows = work.length;
  return {
    rows,
    cols: 1,
    labelWidth: 2,
    rowLabels: () => "",
    colLabels: () => "work, %",
    scale: () => colours.sigma,
    level: () => NO_VALUE.BLANK,
    text: () => "",
    paint: (c, g) => {
      const height = rows * g.cellHeight - g.gap;
      c.fillStyle = colours.line;
      c.fillRect(g.left - 1, g.top, 1, height);
      for (let y = g.top; y < g.top + height; y += 4) c.fillRect(g.left + g.cellWidth - 1, y, 1, 2);
      const thick = Math.max(2, Math.round(0.44 * g.cellHeight));
      for (const [e, parts] of work.entries()) {
        let x = g.left;
        const y = Math.round(g.top + (e + 0.5) * g.cellHeight - g.gap / 2 - thick / 2);
        for (const [q, part] of parts.entries()) {
          const width = (part / top) * (g.cellWidth - 1);
          c.fillStyle = ofTask(colours.tasks, q);
          if (width > 0.2) c.fillRect(x, y, Math.max(0.5, width - 1), thick);
          x += width;
        }
      }
    },
    read: (e) => {
      const parts = work[e].map((part, q) => `${tasks[q] ? shortName(tasks[q].label) : `task ${q}`} ${share(part)}`);
      return `E${e}: ${share(whole(work[e]))} of the work, ${parts.join(", ")}`;
    },
    summary: () => {
      const most = work.reduce((best, parts, e) => (whole(parts) > whole(work[best]) ? e : best), 0);
      return `Most: ${expert(most)}, ${share(whole(work[most]))} of the work.`;
    },
  };
}

/** @param {number} value */
const share = (value) => `${(100 * value).toFixed(1)} %`;
