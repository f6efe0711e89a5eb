// Where each task's patches go: a bar for every expert and task, with the task's ID and, hatched, without it.

import { colours, ofTask } from "../core/colours.js";
import { element } from "../core/element.js";
import { targetOf } from "../core/focus.js";
import { percent, shortName } from "../core/format.js";
import { NO_VALUE, drawHatch } from "./cells.js";
import { legendItem } from "./legend.js";
import { FONT, smallPx } from "./lettering.js";
import { LABEL_WIDTH, expert, extremes, idlers } from "./picture.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Task } from "../core/messages.js" */
/** @import { Geometry } from "./matrix.js" */
/** @import { Picture } from "./picture.js" */

const HALF = 0.5;
const BAR = 42 / 72; // of a column's width, for the whole scale
const STRONG = 0.25;
const PALE = 0.3;
const MOST_NAMED_ABOVE = 3; // columns; of more the legend has the names
const LEAST_FOR_NUMBERS_PX = 14;

/** @type {Picture} */
export const routing = {
  name: "routing",
  title: "Routing",
  subtitle: "where each task’s patches go, %",
  why: "The router sends each patch of an image to a few experts. Solid: it is told the task (with ID). Hatched: the task is hidden (without ID).",
  needs: ["routing", "routing_blind"],
  isOf: (model) => model.hasRouting,
  absent: ({ full, owns }) => `${full} has no router: ${owns}.`,
  legend: (hello, matrix) => [
    ...(hello && hello.tasks.length > MOST_NAMED_ABOVE ? hello.tasks : []).map(({ label }, q) =>
      legendItem(shortName(label), { colour: ofTask(colours.tasks, q), swatch: "swatch-task" }),
    ),
    legendItem("with ID", { swatch: "swatch-solid" }),
    legendItem("without ID", { swatch: "swatch-hollow swatch-hatch" }),
    element("span", { className: "legend-top", textContent: `bars to ${percent(matrix?.top ?? HALF)}` }),
  ],
  target: (row, col) => targetOf({ expert: row, task: col }),
  lit: ({ expert: row, task: col }) => ({ row, col }),

  /** The frame's arrays are [tasks, experts]; here a row is an expert. */
  matrix(layer, { hello: { tasks }, target, leastTop = 0 }) {
    const { routing: told, routing_blind: blind } = layer;
    const { rows: cols, cols: rows } = told;
    const top = Math.max(leastTop, most(told, blind) > HALF ? 1 : HALF);
    /** @param {number} q */
    const label = (q) => (tasks[q] ? tasks[q].label : `Task ${q}`);
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      isIdle: idlers(layer),
      colLabels: () => "",
      scale: () => colours.sigma,
      level: () => NO_VALUE.BLANK,
      text: () => "",
      paint: (c, g) => paintBars(c, g, { told, blind, top, tasks, task: target?.expert === null ? target.task : null }),
      read: (e, q) => {
        const [a, b] = [told.data[q * rows + e], blind.data[q * rows + e]];
        const hidden = Number.isNaN(b) ? "" : `, ${(100 * b).toFixed(1)} % without ID`;
        return `${label(q)}: ${(100 * a).toFixed(1)} % of its patches go to E${e} with ID${hidden}`;
      },
      summary: () => extremes(told, label, expert, "to"),
      top,
    };
  },
};

/** @param {...FrameArray} arrays */
function most(...arrays) {
  let found = 0;
  for (const { data } of arrays) for (const value of data) if (value > found) found = value;
  return found;
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {{ told: FrameArray, blind: FrameArray, top: number, tasks: Task[], task: number | null }} of `task`: the only one looked at
 */
function paintBars(c, g, { told, blind, top, tasks, task }) {
  const px = smallPx();
  const experts = told.cols;
  const height = experts * g.cellHeight;
  const bar = BAR * g.cellWidth;
  const hasNumbers = g.cellHeight >= LEAST_FOR_NUMBERS_PX && g.cellWidth >= 52;
  const thick = Math.max(2, g.cellHeight * 0.36);
  for (let q = 0; q < told.rows; q++) {
    const x = g.left + q * g.cellWidth;
    const colour = ofTask(colours.tasks, q);
    c.globalAlpha = task === null || task === q ? 1 : PALE;
    c.fillStyle = colour;
    c.fillRect(x, 5, 8, 8);
    c.fillStyle = colours.ink;
    c.font = `400 ${px}px ${FONT}`;
    c.textAlign = "left";
    c.textBaseline = "middle";
    if (told.rows <= MOST_NAMED_ABOVE) {
      c.fillText(tasks[q] ? shortName(tasks[q].label) : `Task ${q}`, x + 12, 9, g.cellWidth - 14);
    }
    c.fillStyle = colours.line;
    c.fillRect(x - 1, g.top, 1, height - g.gap);
    for (let y = g.top; y < g.top + height - g.gap; y += 4) c.fillRect(x + bar, y, 1, 2);
    for (let e = 0; e < experts; e++) {
      const [a, b] = [told.data[q * experts + e], blind.data[q * experts + e]];
      const y = g.top + e * g.cellHeight + (g.cellHeight - g.gap - 1.6 * thick) / 2;
      c.fillStyle = colour;
      if (a > 0) c.fillRect(x, y, Math.max(1, (a / top) * bar), thick);
      if (b > 0) paintHidden(c, { x, y: y + thick + 1, width: (b / top) * bar, height: 0.55 * thick }, colour);
      if (!hasNumbers || Number.isNaN(a)) continue;
      c.fillStyle = a >= STRONG ? colours.ink : colours.muted;
      c.font = `${a >= STRONG ? 650 : 400} ${px}px ${FONT}`;
      c.textAlign = "right";
      c.fillText(String(Math.round(100 * a)), x + g.cellWidth - 6, g.top + (e + 0.5) * g.cellHeight - g.gap / 2);
    }
  }
  c.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {string} colour
 */
function paintHidden(c, box, colour) {
  c.strokeStyle = colour;
  c.lineWidth = 1;
  c.strokeRect(box.x + 0.5, box.y + 0.5, Math.max(0, box.width - 1), Math.max(1, box.height - 1));
  if (box.width > 3) drawHatch(c, box, colour, 0.8);
}
