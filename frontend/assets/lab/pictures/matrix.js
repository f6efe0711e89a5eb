// A matrix on a canvas: what it declares, where its cells lie, and its labels; cells.js draws what is in them.

import { colours } from "../core/colours.js";
import { drawCells, drawPixels, fillCell } from "./cells.js";
import { FONT, smallPx } from "./lettering.js";

/** @import { Scale } from "../core/colours.js" */

/**
 * @typedef {object} Matrix
 * @property {number} rows
 * @property {number} cols
 * @property {number} labelWidth room for the rows' labels, px
 * @property {(row: number) => string} rowLabels
 * @property {(row: number) => boolean} [isIdle] a ring before the row's label
 * @property {((col: number) => string) | null} colLabels
 * @property {(row: number) => Scale} scale
 * @property {(row: number, col: number) => number} level 0 to 255, or one of NO_VALUE
 * @property {(row: number, col: number) => string} text
 * @property {(row: number, col: number) => boolean} [isCut] a dash in place of a value
 * @property {(row: number, col: number) => boolean} [isOwn] is outlined
 * @property {(row: number, col: number) => boolean} [isStrong] its text is bold
 * @property {(row: number, col: number) => string} read a sentence about a cell
 * @property {() => string} summary its extremes, for screen readers
 * @property {(c: CanvasRenderingContext2D, g: Geometry) => void} [paint] draws what cells cannot show
 * @property {(x: number, y: number, g: Geometry) => Place | null} [hit] the cell at a point, px
 * @property {string} [note] one line in the middle, in place of values
 * @property {number} [top] of its scale, where that adapts
 * @property {string} [subtitle] in place of the picture's own
 *
 * @typedef {object} Place a cell, or with `only` the whole row or column that it lies in
 * @property {number} row
 * @property {number} col
 * @property {"row" | "col"} [only]
 *
 * @typedef {object} Geometry px
 * @property {number} left
 * @property {number} top
 * @property {number} cellWidth
 * @property {number} cellHeight
 * @property {number} gap
 * @property {number} radius
 */

const MANY_CELLS_PX = 3;
const HEAD_PX = 20; // the same for all, so that rows lie on the same lines

/**
 * @param {{ width: number, height: number }} size
 * @param {Pick<Matrix, "rows" | "cols" | "labelWidth" | "colLabels">} matrix
 * @returns {Geometry}
 */
export function geometryOf({ width, height }, { rows, cols, labelWidth, colLabels }) {
  const top = colLabels ? HEAD_PX : 0;
  const cellWidth = (width - labelWidth) / cols;
  const cellHeight = (height - top) / rows;
  const small = Math.min(cellWidth, cellHeight);
  const gap = small >= 22 ? 3 : small >= 14 ? 2 : small >= 6 ? 1 : 0;
  return { left: labelWidth, top, cellWidth, cellHeight, gap, radius: small >= 14 ? 4 : 0 };
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 * @param {{ row: number | null, col: number | null }} lit row and column that are looked at
 */
export function drawMatrix(c, g, m, lit) {
  drawLabels(c, g, m, lit);
  if (m.paint) m.paint(c, g);
  else if (Math.min(g.cellWidth, g.cellHeight) < MANY_CELLS_PX) drawPixels(c, g, m);
  else drawCells(c, g, m);
  if (m.note) {
    c.fillStyle = colours.muted;
    c.font = `13px ${FONT}`;
    c.textAlign = "center";
    c.fillText(m.note, g.left + (m.cols * g.cellWidth) / 2, g.top + (m.rows * g.cellHeight) / 2);
  }
}

/**
 * Empty cells, before there is a matrix.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {{ width: number, height: number }} size
 */
export function drawSkeleton(c, size) {
  const rows = size.height > 0.3 * size.width ? 8 : 1;
  const g = geometryOf(size, { rows, cols: 8, labelWidth: 30, colLabels: rows > 1 ? String : null });
  c.fillStyle = colours.control;
  for (let row = 0; row < rows; row++) for (let col = 0; col < 8; col++) fillCell(c, g, row, col);
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 * @param {{ row: number | null, col: number | null }} lit
 */
function drawLabels(c, g, m, lit) {
  const px = smallPx();
  c.textBaseline = "middle";
  if (m.colLabels) {
    c.textAlign = "center";
    const widest = (px / 2 + 1) * m.colLabels(m.cols - 1).length + 4;
    const every = Math.max(1, Math.ceil(widest / g.cellWidth));
    for (let col = 0; col < m.cols; col += every) {
      c.font = `${lit.col === col ? 650 : 400} ${px}px ${FONT}`;
      c.fillStyle = lit.col === col ? colours.ink : colours.muted;
      c.fillText(m.colLabels(col), g.left + (col + 0.5) * g.cellWidth - g.gap / 2, 9);
    }
  }
  const every = Math.max(1, Math.ceil((px + 1) / g.cellHeight));
  c.textAlign = "right";
  for (let row = 0; row < m.rows; row++) {
    const y = g.top + (row + 0.5) * g.cellHeight - g.gap / 2;
    const isIdle = m.isIdle?.(row);
    if (isIdle) drawIdle(c, 3.5, y);
    if (row % every) continue;
    c.font = `${lit.row === row ? 650 : 400} ${px}px ${FONT}`;
    c.fillStyle = isIdle && lit.row !== row ? colours.muted : colours.ink;
    c.fillText(m.rowLabels(row), g.left - 6, y);
  }
}

/**
 * The ring of an idle expert.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {number} x
 * @param {number} y
 */
export function drawIdle(c, x, y) {
  c.strokeStyle = colours.warning;
  c.lineWidth = 1.5;
  c.beginPath();
  c.arc(x, y, 2.75, 0, 2 * Math.PI);
  c.stroke();
}
