// The cells of a matrix: values where they can be read, marks where there are none, one image where there are thousands.

import { colours } from "../core/colours.js";
import { FONT, smallPx } from "./lettering.js";

/** @import { Geometry, Matrix } from "./matrix.js" */

const VALUE_CELL_PX = 25; // three digits of 13 px and room beside them

/** What a cell shows instead of a value. */
export const NO_VALUE = { HATCH: -1, DOT: -2, BLANK: -3 };

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {Matrix} m
 */
export function drawCells(c, g, m) {
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
export function drawPixels(c, g, m) {
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

/**
 * @param {CanvasRenderingContext2D} c
 * @param {Geometry} g
 * @param {number} row
 * @param {number} col
 */
export function fillCell(c, g, row, col) {
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
