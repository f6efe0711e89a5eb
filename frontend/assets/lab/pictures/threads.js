// The topology as threads from experts to blocks: as thick as sigma(A), dotted where the link is cut.

import { colours, ofTask } from "../core/colours.js";
import { targetOf } from "../core/focus.js";
import { cell } from "../core/format.js";
import { CUT } from "../core/story.js";
import { countHolders } from "./backbone.js";
import { NO_VALUE } from "./cells.js";
import { legendItem } from "./legend.js";
import { FONT, smallPx } from "./lettering.js";
import { drawIdle } from "./matrix.js";
import { LABEL_WIDTH, block, expert, extremes, idlers, level, shares } from "./picture.js";
import { readLink } from "./topology.js";

/** @import { FrameArray, LayerArrays } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Geometry } from "./matrix.js" */
/** @import { Picture } from "./picture.js" */

const HOLDERS_PX = 38; // bars at the right: experts holding each dimension
const BLOCK_LABEL_PX = 34;
const BLOCK_PX = 18;
const THICKEST = 0.3; // of a row's height, at sigma(A) 1
const MOST_DOTTED = 100; // links; a thicket of dots tells nothing

/** @type {Picture} */
export const threads = {
  name: "threads",
  title: "Topology",
  subtitle: "who borrows from which block",
  why: "An expert's threads lead to the blocks that it borrows. The thicker and the more amber a thread, the more it holds on; a dotted one is cut.",
  lens: "threads",
  needs: ["connection"],
  isOf: (model) => model.hasTopology,
  absent: ({ full, owns }) => `${full} has no topology matrix: ${owns}.`,
  legend: () => [
    "circle: share of the work, its main task",
    legendItem("idle", { swatch: "swatch-ring" }),
    "bars: experts holding each dimension",
  ],
  target: (row, col) => targetOf({ expert: row, block: col }),
  lit: ({ expert: row, block: col }) => ({ row, col }),

  matrix(layer, { hello, target }) {
    const { connection, topology_logits: logits } = layer;
    const { rows, cols } = connection;
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      colLabels: () => "",
      scale: () => colours.sigma,
      level: () => NO_VALUE.BLANK,
      text: () => "",
      paint: (c, g) => paintThreads(c, g, layer, hello, target ?? null),
      hit: (x, y, g) => {
        const height = rows * g.cellHeight;
        if (y < g.top || y >= g.top + height) return null;
        const { right } = placesOf(g, rows, cols);
        const row = Math.floor((y - g.top) / g.cellHeight);
        const col = Math.floor(((y - g.top) / height) * cols);
        if (x > (g.left + right) / 2) return { row: holderOf(connection, col), col, only: "col" };
        return { row, col: firstOf(connection, row), only: "row" };
      },
      read: (r, c) => readLink(connection, logits, r, c),
      summary: () => extremes(connection, expert, block, "to"),
    };
  },

  table({ connection: { rows, cols, data } }) {
    return Array.from({ length: rows }, (_, e) => {
      const held = Array.from({ length: cols }, (__, p) => p)
        .filter((p) => data[e * cols + p] >= CUT)
        .sort((a, b) => data[e * cols + b] - data[e * cols + a])
        .map((p) => `${rows === cols && p === e ? "its own " : ""}${block(p)} ${cell(data[e * cols + p])}`);
      return [expert(e), held.join(", ") || "nothing: every link is cut"];
    });
  },
};

/**
 * The block that an expert holds most.
 *
 * @param {FrameArray} connection
 * @param {number} row
 */
function firstOf({ cols, data }, row) {
  let best = 0;
  for (let c = 1; c < cols; c++) if (data[row * cols + c] > data[row * cols + best]) best = c;
  return best;
}

/**
 * The expert that holds a block most.
 *
 * @param {FrameArray} connection
 * @param {number} col
 */
function holderOf({ rows, cols, data }, col) {
  let best = 0;
  for (let r = 1; r < rows; r++) if (data[r * cols + col] > data[best * cols + col]) best = r;
  return best;
}

/**
 * Where experts and blocks stand: always the same.
 *
 * @param {Geometry} g
 * @param {number} rows
 * @param {number} cols
 */
function placesOf(g, rows, cols) {
  const height = rows * g.cellHeight;
  const left = g.left + 14;
  const right = g.left + cols * g.cellWidth - HOLDERS_PX - BLOCK_LABEL_PX - BLOCK_PX;
  const blockHeight = height / cols;
  return {
    left,
    right,
    blockHeight,
    /** @param {number} e */
    expertY: (e) => g.top + (e + 0.5) * g.cellHeight - g.gap / 2,
    /** @param {number} p */
    blockY: (p) => g.top + (p + 0.5) * blockHeight - g.gap / 2,
  };
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {LayerArrays} layer
 * @param {Hello} hello
 * @param {Target | null} target
 */
function paintThreads(c, g, layer, hello, target) {
  const { rows, cols, data } = layer.connection;
  const at = placesOf(g, rows, cols);
  const from = at.left + 16;
  const middle = (from + at.right) / 2;
  /**
   * @param {number} e
   * @param {number} p
   */
  const isLit = (e, p) =>
    target !== null && (target.expert === e || (target.expert === null && target.block === p) || target.other === e);
  const order = Array.from({ length: rows * cols }, (_, i) => i).sort((a, b) => data[a] - data[b]);
  const some = target !== null && (target.expert !== null || target.block !== null);
  for (const lit of some ? [false, true] : [false]) {
    for (const i of order) {
      const [e, p] = [Math.floor(i / cols), i % cols];
      if (some && isLit(e, p) !== lit) continue;
      const value = data[i];
      const isCut = value < CUT;
      if (isCut && !lit && rows * cols > MOST_DOTTED) continue;
      c.strokeStyle = isCut ? colours.muted : colours.sigma.fill[level(value)];
      c.lineWidth = isCut ? 1 : Math.max(1, value * THICKEST * Math.min(g.cellHeight, 28));
      c.globalAlpha = some && !lit ? (isCut ? 0.08 : 0.28) : isCut ? 0.3 : 1;
      c.setLineDash(isCut ? [1, 4] : []);
      c.beginPath();
      c.moveTo(from, at.expertY(e));
      c.bezierCurveTo(middle, at.expertY(e), middle, at.blockY(p), at.right, at.blockY(p));
      c.stroke();
    }
  }
  c.globalAlpha = 1;
  c.setLineDash([]);
  paintExperts(c, g, layer, hello, at);
  paintBlocks(c, g, layer, hello, target, at);
}

/**
 * A circle for every expert: as large as its share of the work, with the task that it does most of.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {LayerArrays} layer
 * @param {Hello} hello
 * @param {ReturnType<typeof placesOf>} at
 */
function paintExperts(c, g, layer, hello, at) {
  const of = shares(layer);
  const isIdle = idlers(layer);
  const largest = Math.min(13, g.cellHeight / 2 - 1);
  c.textAlign = "center";
  for (let e = 0; e < layer.connection.rows; e++) {
    const y = at.expertY(e);
    if (isIdle(e)) {
      drawIdle(c, at.left, y);
      continue;
    }
    const share = of ? of[e] : 0;
    const radius = Math.max(3, largest * Math.min(1, Math.sqrt(share / 0.35)));
    const task = mainTask(layer, e);
    c.fillStyle = task === null ? colours.block : ofTask(colours.tasks, task);
    c.beginPath();
    c.arc(at.left, y, radius, 0, 2 * Math.PI);
    c.fill();
    if (radius < 8 || task === null) continue;
    c.fillStyle = colours.panel;
    c.font = `650 ${smallPx()}px ${FONT}`;
    c.fillText(hello.tasks[task]?.label[0] ?? "", at.left, y + 0.5);
  }
}

/**
 * The task that most of an expert's patches are of, or null.
 *
 * @param {LayerArrays} layer
 * @param {number} e
 */
export function mainTask({ routing }, e) {
  if (!routing) return null;
  /** @type {number | null} */
  let best = null;
  for (let q = 0; q < routing.rows; q++) {
    const value = routing.data[q * routing.cols + e];
    if (value > 0 && (best === null || value > routing.data[best * routing.cols + e])) best = q;
  }
  return best;
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {LayerArrays} layer
 * @param {Hello} hello
 * @param {Target | null} target
 * @param {ReturnType<typeof placesOf>} at
 */
function paintBlocks(c, g, { connection, subspace }, { dims }, target, at) {
  const { rows, cols, data } = connection;
  const px = smallPx();
  const height = Math.max(2, at.blockHeight - Math.max(1, g.gap));
  const every = Math.max(1, Math.ceil((px + 1) / at.blockHeight));
  const holders = subspace ? countHolders(subspace, dims) : null;
  const width = dims / cols;
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillStyle = colours.muted;
  c.font = `400 ${px}px ${FONT}`;
  c.fillText("experts", 0, 9);
  c.textAlign = "right";
  c.fillText("backbone", at.right + BLOCK_PX + BLOCK_LABEL_PX + HOLDERS_PX, 9);
  for (let p = 0; p < cols; p++) {
    const y = at.blockY(p);
    const isHeld = target !== null && target.expert !== null && data[target.expert * cols + p] >= CUT;
    const isLit = isHeld || (target !== null && target.block === p);
    c.fillStyle = isHeld ? colours.high : colours.block;
    c.beginPath();
    c.roundRect(at.right, y - height / 2, BLOCK_PX - 2, height, Math.min(3, height / 2));
    c.fill();
    c.fillStyle = colours.ink;
    c.font = `${isLit ? 650 : 400} ${px}px ${FONT}`;
    c.textAlign = "left";
    if (p % every === 0) c.fillText(block(p), at.right + BLOCK_PX + 4, y);
    const x = at.right + BLOCK_PX + BLOCK_LABEL_PX;
    c.fillStyle = colours.control;
    c.fillRect(x, y - height / 2, HOLDERS_PX - 2, height);
    if (!holders) continue;
    c.fillStyle = colours.held;
    const each = height / width;
    for (let start = p * width; start < (p + 1) * width;) {
      let end = start + 1;
      while (end < (p + 1) * width && holders[end] === holders[start]) end++; // one bar, without seams
      const share = holders[start] / rows;
      c.fillRect(x, y - height / 2 + (start - p * width) * each, share * (HOLDERS_PX - 2), (end - start) * each);
      start = end;
    }
  }
}
