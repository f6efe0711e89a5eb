// Drawing a matrix on a canvas: cells with values where they can be read, or one image where there are thousands.

import { colours } from "../core/colours.js";

/** @import { Scale } from "../core/colours.js" */

/**
 * @typedef {object} Matrix
 * @property {number} rows
 * @property {number} cols
 * @property {number} labelWidth room for the rows' labels, px
 * @property {(row: number) => string} rowLabels
 * @property {((row: number) => string)} [rowDot] colour of a dot before a row's label
 * @property {((col: number) => string) | null} colLabels
 * @property {(row: number) => Scale} scale
 * @property {(row: number, col: number) => number} level 0 to 255, or one of NO_VALUE
 * @property {(row: number, col: number) => string} text
 * @property {(row: number, col: number) => string} read a sentence about a cell
 * @property {() => string} summary its extremes, for screen readers
 * @property {(c: CanvasRenderingContext2D, g: Geometry) => void} [paint] draws what cells cannot show
 *
 * @typedef {object} Geometry px
 * @property {number} left
 * @property {number} top
 * @property {number} cellWidth
 * @property {number} cellHeight
 * @property {number} gap
 * @property {number} radius
 */

const VALUE_CELL_PX = 17;
const MANY_CELLS_PX = 3;
const FONT = '"Inter", system-ui, sans-serif';

/** What a cell shows instead of a value. */
export const NO_VALUE = { HATCH: -1, DOT: -2, BLANK: -3 };

/**
 * @param {{ width: number, height: number }} size
 * @param {Pick<Matrix, "rows" | "cols" | "labelWidth" | "colLabels">} matrix
 * @returns {Geometry}
 */
export function geometryOf({ width, height }, { rows, cols, labelWidth, colLabels }) {
  const top = colLabels ? 16 : 4;
  const cellWidth = (width - labelWidth) / cols;
  const cellHeight = (height - top) / rows;
  const small = Math.min(cellWidth, cellHeight);
  const gap = small >= 14 ? 2 : small >= 6 ? 1 : 0;
  return { left: labelWidth, top, cellWidth, cellHeight, gap, radius: small >= 14 ? 3 : 0 };
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
export function drawMatrix(c, g, m) {
  drawLabels(c, g, m);
  if (m.paint) m.paint(c, g);
  else if (Math.min(g.cellWidth, g.cellHeight) < MANY_CELLS_PX) drawPixels(c, g, m);
  else drawCells(c, g, m);
}

/**
 * A ring around one cell.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {{ row: number, col: number }} cell
 */
export function drawRing(c, g, { row, col }) {
  c.strokeStyle = colours.ink;
  c.lineWidth = 2;
  c.beginPath();
  const [w, h] = [Math.max(4, g.cellWidth - g.gap), Math.max(4, g.cellHeight - g.gap)];
  c.roundRect(g.left + col * g.cellWidth, g.top + row * g.cellHeight, w, h, g.radius);
  c.stroke();
}

/**
 * Empty cells, before there is a matrix.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {{ width: number, height: number }} size
 */
export function drawSkeleton(c, size) {
  const [rows, cols] = [size.height > 0.7 * size.width ? 8 : 3, 8];
  const g = geometryOf(size, { rows, cols, labelWidth: 24, colLabels: String });
  c.fillStyle = colours.ground;
  for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) fillCell(c, g, row, col);
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {number} row
 * @param {number} col
 */
function fillCell(c, g, row, col) {
  c.beginPath();
  c.roundRect(
    g.left + col * g.cellWidth,
    g.top + row * g.cellHeight,
    g.cellWidth - g.gap,
    g.cellHeight - g.gap,
    g.radius,
  );
  c.fill();
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
function drawLabels(c, g, m) {
  c.font = `10px ${FONT}`;
  c.fillStyle = colours.muted;
  c.textBaseline = "middle";
  if (m.colLabels) {
    c.textAlign = "center";
    const widest = 6 * m.colLabels(m.cols - 1).length + 5;
    const every = Math.max(1, Math.ceil(widest / g.cellWidth));
    for (let col = 0; col < m.cols; col += every) {
      c.fillText(m.colLabels(col), g.left + (col + 0.5) * g.cellWidth - g.gap / 2, 7);
    }
  }
  const every = Math.max(1, Math.ceil(11 / g.cellHeight));
  for (let row = 0; row < m.rows; row += every) {
    const y = g.top + (row + 0.5) * g.cellHeight - g.gap / 2;
    if (m.rowDot) {
      c.fillStyle = m.rowDot(row);
      c.beginPath();
      c.arc(4, y, 4, 0, 2 * Math.PI);
      c.fill();
      c.fillStyle = colours.muted;
    }
    c.textAlign = m.rowDot ? "left" : "right";
    c.fillText(m.rowLabels(row), m.rowDot ? 12 : g.left - 6, y);
  }
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
function drawCells(c, g, m) {
  const readable = g.cellWidth >= VALUE_CELL_PX && g.cellHeight >= 14;
  c.font = `${g.cellWidth >= 27 ? 11 : g.cellWidth >= 23 ? 10 : 9}px ${FONT}`;
  c.textAlign = "center";
  for (let row = 0; row < m.rows; row++) {
    const scale = m.scale(row);
    for (let col = 0; col < m.cols; col++) {
      const level = m.level(row, col);
      if (level === NO_VALUE.BLANK) continue;
      if (level < 0) {
        drawNoValue(c, g, row, col, level);
        continue;
      }
      c.fillStyle = scale.fill[level];
      fillCell(c, g, row, col);
      const text = readable && m.text(row, col);
      if (!text) continue;
      c.fillStyle = scale.text[level];
      c.fillText(
        text,
        g.left + (col + 0.5) * g.cellWidth - g.gap / 2,
        g.top + (row + 0.5) * g.cellHeight - g.gap / 2 + 0.5,
      );
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {number} row
 * @param {number} col
 * @param {number} level
 */
function drawNoValue(c, g, row, col, level) {
  const x = g.left + col * g.cellWidth;
  const y = g.top + row * g.cellHeight;
  const [w, h] = [g.cellWidth - g.gap, g.cellHeight - g.gap];
  if (level === NO_VALUE.DOT) {
    c.fillStyle = colours.muted;
    c.beginPath();
    c.arc(x + w / 2, y + h / 2, Math.min(2, w / 4), 0, 2 * Math.PI);
    c.fill();
    return;
  }
  c.save();
  c.beginPath();
  c.rect(x, y, w, h);
  c.clip();
  c.strokeStyle = colours.muted;
  c.globalAlpha = 0.5;
  c.lineWidth = 1;
  c.beginPath();
  for (let at = -h; at < w; at += 4) {
    c.moveTo(x + at, y + h);
    c.lineTo(x + at + h, y);
  }
  c.stroke();
  c.restore();
}

/**
 * Thousands of cells: one image of one pixel a cell, stretched without smoothing.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
function drawPixels(c, g, m) {
  const image = new ImageData(m.cols, m.rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let row = 0; row < m.rows; row++) {
    const scale = m.scale(row);
    for (let col = 0; col < m.cols; col++) {
      const level = m.level(row, col);
      pixels[row * m.cols + col] = level < 0 ? 0 : scale.bytes[level];
    }
  }
  const sheet = new OffscreenCanvas(m.cols, m.rows);
  sheet.getContext("2d")?.putImageData(image, 0, 0);
  c.imageSmoothingEnabled = false;
  c.drawImage(sheet, g.left, g.top, g.cellWidth * m.cols, g.cellHeight * m.rows);
}
