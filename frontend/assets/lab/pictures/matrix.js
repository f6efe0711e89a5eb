// Drawing a matrix on a canvas: cells with values where they can be read, or one image where there are thousands.

import { colours } from "../core/colours.js";

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

const VALUE_CELL_PX = 25; // three digits of 13 px and room beside them
const MANY_CELLS_PX = 3;
const HEAD_PX = 20; // the same for all, so that rows lie on the same lines
export const FONT = '"Inter", system-ui, sans-serif';

/** What a cell shows instead of a value. */
export const NO_VALUE = { HATCH: -1, DOT: -2, BLANK: -3 };

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
 * A ring around one cell.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {{ row: number, col: number }} cell
 */
export function drawRing(c, g, { row, col }) {
  c.strokeStyle = colours.accent;
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
  const rows = size.height > 0.3 * size.width ? 8 : 1;
  const g = geometryOf(size, { rows, cols: 8, labelWidth: 30, colLabels: rows > 1 ? String : null });
  c.fillStyle = colours.control;
  for (let row = 0; row < rows; row++) for (let col = 0; col < 8; col++) fillCell(c, g, row, col);
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

/** The size of small text: 13 px where the page is narrow. */
export const smallPx = () => (innerWidth < 1400 ? 13 : 12);

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

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
function drawCells(c, g, m) {
  const readable = g.cellWidth >= VALUE_CELL_PX && g.cellHeight >= 16;
  const px = g.cellWidth >= 34 ? 13 : smallPx();
  c.textAlign = "center";
  for (let row = 0; row < m.rows; row++) {
    const scale = m.scale(row);
    for (let col = 0; col < m.cols; col++) {
      const level = m.level(row, col);
      if (level < 0) {
        drawNoValue(c, g, row, col, level);
        continue;
      }
      c.fillStyle = scale.fill[level];
      fillCell(c, g, row, col);
      if (m.isOwn?.(row, col)) outline(c, g, row, col);
      const x = g.left + (col + 0.5) * g.cellWidth - g.gap / 2;
      const y = g.top + (row + 0.5) * g.cellHeight - g.gap / 2;
      if (m.isCut?.(row, col)) {
        if (g.cellWidth < 12) continue;
        const half = Math.min(4, g.cellWidth / 6);
        c.fillStyle = colours.muted;
        c.globalAlpha = 0.55;
        c.fillRect(x - half, y - 0.75, 2 * half, 1.5);
        c.globalAlpha = 1;
        continue;
      }
      const text = readable && m.text(row, col);
      if (!text) continue;
      c.fillStyle = scale.text[level];
      c.font = `${m.isStrong?.(row, col) ? 650 : 450} ${px}px ${FONT}`;
      c.fillText(text, x, y + 0.5);
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {number} row
 * @param {number} col
 */
function outline(c, g, row, col) {
  if (!g.radius) return;
  c.strokeStyle = colours.ink;
  c.globalAlpha = 0.75;
  c.lineWidth = 1;
  c.beginPath();
  const [x, y] = [g.left + col * g.cellWidth, g.top + row * g.cellHeight];
  c.roundRect(x + 0.5, y + 0.5, g.cellWidth - g.gap - 1, g.cellHeight - g.gap - 1, g.radius);
  c.stroke();
  c.globalAlpha = 1;
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
  if (level === NO_VALUE.BLANK) {
    if (!g.radius) return;
    c.strokeStyle = colours.line;
    c.lineWidth = 1;
    c.beginPath();
    c.roundRect(x + 0.5, y + 0.5, w - 1, h - 1, g.radius);
    c.stroke();
    return;
  }
  if (level === NO_VALUE.DOT) {
    c.fillStyle = colours.muted;
    c.beginPath();
    c.arc(x + w / 2, y + h / 2, Math.min(1.5, w / 4), 0, 2 * Math.PI);
    c.fill();
    return;
  }
  drawHatch(c, { x, y, width: w, height: h }, colours.muted, 0.35);
}

/**
 * Oblique lines in a box.
 *
 * @param {CanvasRenderingContext2D} c
 * @param {{ x: number, y: number, width: number, height: number }} box
 * @param {string} colour
 * @param {number} alpha
 */
export function drawHatch(c, { x, y, width, height }, colour, alpha) {
  c.save();
  c.beginPath();
  c.rect(x, y, width, height);
  c.clip();
  c.strokeStyle = colour;
  c.globalAlpha *= alpha;
  c.lineWidth = 1;
  c.beginPath();
  for (let at = -height; at < width; at += 4) {
    c.moveTo(x + at, y + height);
    c.lineTo(x + at + height, y);
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
