// Share of each task's assignments by expert, with the task ID and without it; one hue a task.

import { colours, ofTask } from "../core/colours.js";
import { cell, shortName } from "../core/format.js";
import { NO_VALUE } from "./matrix.js";
import { expert, extremes, level } from "./picture.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Task } from "../core/messages.js" */
/** @import { Matrix } from "./matrix.js" */
/** @import { Picture } from "./picture.js" */

const LABEL_WIDTH = 60;
const GAMMA = 0.7; // small shares stay visible
const LEAST_PRINTED = 0.005;

/** @type {Pick<Picture, "shape" | "isOf" | "absent">} */
const ofRouter = {
  shape: "strip",
  isOf: (model) => model.hasRouting,
  absent: ({ full, owns }) => `${full} has no router: ${owns}.`,
};

/** @type {Picture} */
export const routing = {
  ...ofRouter,
  name: "routing",
  title: "Routing with ID",
  subtitle: "share of each task's tokens",
  spoken: "Routing with task ID",
  needs: ["routing"],
  matrix: (layer, { hello }) => shares(layer.routing, hello.tasks, ""),
};

/** @type {Picture} */
export const routingBlind = {
  ...ofRouter,
  name: "routing-blind",
  title: "Routing without ID",
  subtitle: "the same images, task ID removed",
  spoken: "Routing without task ID",
  needs: ["routing_blind"],
  matrix: (layer, { hello }) => shares(layer.routing_blind, hello.tasks, ", task ID removed"),
};

/**
 * @param {FrameArray} array [tasks, experts]
 * @param {Task[]} tasks
 * @param {string} how
 * @returns {Matrix}
 */
function shares(array, tasks, how) {
  const { rows, cols, data } = array;
  /** @param {number} q */
  const label = (q) => (tasks[q] ? tasks[q].label : `Task ${q}`);
  return {
    rows,
    cols,
    labelWidth: LABEL_WIDTH,
    rowLabels: (q) => shortName(label(q)),
    rowDot: (q) => ofTask(colours.tasks, q),
    colLabels: expert,
    scale: (q) => ofTask(colours.shares, q),
    level: (q, e) => (Number.isNaN(data[q * cols + e]) ? NO_VALUE.HATCH : level(data[q * cols + e] ** GAMMA)),
    text: (q, e) => (data[q * cols + e] >= LEAST_PRINTED ? cell(data[q * cols + e]) : ""),
    read: (q, e) => `${label(q)}${how}: ${(100 * data[q * cols + e]).toFixed(1)} % of its tokens go to E${e}`,
    summary: () => extremes(array, label, expert, "to"),
  };
}
