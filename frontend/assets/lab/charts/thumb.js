// One picture of the film: sigma(A) of a layer as small squares. What does not fit is no picture.

import { colours } from "../core/colours.js";

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Uint8Array | undefined} sigma [rows, cols] in 255ths
 * @param {{ rows: number, cols: number }} shape
 * @param {number} size px of the longer side
 */
export function drawThumb(canvas, sigma, { rows, cols }, size) {
  const ratio = globalThis.devicePixelRatio || 1;
  const pixels = Math.round(size * ratio);
  if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, pixels, pixels);
  if (!sigma || sigma.length !== rows * cols) return;
  const cell = pixels / Math.max(rows, cols);
  const gap = cell > 4 * ratio ? Math.max(1, Math.round(cell / 8)) : 0;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [left, top] = [Math.round(col * cell), Math.round(row * cell)];
      context.fillStyle = colours.sigma.fill[sigma[row * cols + col]];
      context.fillRect(left, top, Math.round((col + 1) * cell) - left - gap, Math.round((row + 1) * cell) - top - gap);
    }
  }
}
