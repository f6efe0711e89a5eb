// A matrix on a canvas of its own, with a cursor for mouse and keyboard.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { hideTooltip, showTooltip } from "../core/tooltip.js";
import { drawMatrix, drawRing, drawSkeleton, geometryOf } from "./matrix.js";

/** @import { Geometry, Matrix } from "./matrix.js" */

/** Rows and columns a key moves the cursor by. @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * @param {number} value
 * @param {number} size
 */
const clamp = (value, size) => Math.max(0, Math.min(size - 1, value));

export class Heatmap {
  #canvas = element("canvas", { tabIndex: 0 });
  #absent = element("div", { className: "picture-absent", hidden: true });
  #size = { width: 0, height: 0 };
  /** @type {{ row: number, col: number } | null} */
  #cursor = null;
  /** @type {Matrix | null} */
  #matrix = null;
  /** @type {Geometry | null} */
  #geometry = null;
  #sized = new ResizeObserver(() => this.#fit());
  #context;
  #host;
  #title;

  /**
   * @param {HTMLElement} host
   * @param {() => string} title names the picture for screen readers
   */
  constructor(host, title) {
    this.#host = host;
    this.#title = title;
    this.#canvas.setAttribute("role", "application");
    this.#canvas.setAttribute("aria-roledescription", "matrix, read with the arrow keys");
    this.#canvas.setAttribute("aria-label", title());
    this.#context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    host.append(this.#canvas, this.#absent);
    this.#listen();
    this.#sized.observe(host);
    this.#fit();
  }

  close() {
    this.#sized.disconnect();
  }

  /** Draw a matrix. @param {Matrix} matrix */
  show(matrix) {
    this.#matrix = matrix;
    this.#absent.hidden = true;
    this.redraw();
    if (this.#cursor) this.#tell(false);
  }

  /** Say in one sentence why there is no picture. @param {string} sentence */
  say(sentence) {
    this.#matrix = null;
    if (this.#absent.textContent !== sentence) this.#absent.textContent = sentence;
    this.#absent.hidden = false;
    this.#canvas.setAttribute("aria-label", `${this.#title()}. ${sentence}`);
  }

  /** Nothing is known yet: back to the skeleton. */
  clear() {
    this.#matrix = null;
    this.#cursor = null;
    this.#absent.hidden = true;
    this.redraw();
  }

  /** Name the picture and its extremes for screen readers. Not every frame: it would be read too often. */
  describe() {
    if (this.#matrix) this.#canvas.setAttribute("aria-label", `${this.#title()}. ${this.#matrix.summary()}`);
  }

  redraw() {
    if (!this.#size.width) return;
    const c = this.#context;
    c.clearRect(0, 0, this.#size.width, this.#size.height);
    if (!this.#matrix) {
      drawSkeleton(c, this.#size);
      return;
    }
    this.#geometry = geometryOf(this.#size, this.#matrix);
    drawMatrix(c, this.#geometry, this.#matrix);
    if (this.#cursor) drawRing(c, this.#geometry, this.#cursor);
  }

  #fit() {
    const { width, height } = this.#host.getBoundingClientRect();
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    this.#size = { width, height };
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.redraw();
  }

  #listen() {
    this.#canvas.addEventListener("pointermove", (event) => {
      const g = this.#geometry;
      if (!this.#matrix || !g) return;
      const box = this.#canvas.getBoundingClientRect();
      const col = Math.floor((event.clientX - box.left - g.left) / g.cellWidth);
      const row = Math.floor((event.clientY - box.top - g.top) / g.cellHeight);
      this.#point(this.#matrix, row, col, false);
    });
    this.#canvas.addEventListener("pointerleave", () => this.#forget());
    this.#canvas.addEventListener("blur", () => this.#forget());
    this.#canvas.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      if (event.key === "Escape") this.#forget();
      if (!move || !this.#matrix) return;
      event.preventDefault();
      const to = this.#cursor ? [this.#cursor.row + move[0], this.#cursor.col + move[1]] : [0, 0];
      this.#point(this.#matrix, clamp(to[0], this.#matrix.rows), clamp(to[1], this.#matrix.cols), true);
    });
  }

  /**
   * @param {Matrix} matrix
   * @param {number} row
   * @param {number} col
   * @param {boolean} byKeyboard
   */
  #point(matrix, row, col, byKeyboard) {
    if (row < 0 || col < 0 || row >= matrix.rows || col >= matrix.cols) {
      this.#forget();
      return;
    }
    this.#cursor = { row, col };
    this.redraw();
    this.#tell(byKeyboard);
  }

  #forget() {
    if (!this.#cursor) return;
    this.#cursor = null;
    hideTooltip();
    this.redraw();
  }

  /** @param {boolean} aloud */
  #tell(aloud) {
    const [cursor, matrix, g] = [this.#cursor, this.#matrix, this.#geometry];
    if (!cursor || !matrix || !g) return;
    const { row, col } = cursor;
    if (row >= matrix.rows || col >= matrix.cols) {
      this.#forget();
      return;
    }
    const box = this.#canvas.getBoundingClientRect();
    const sentence = matrix.read(row, col);
    showTooltip(sentence, box.left + g.left + (col + 0.5) * g.cellWidth, box.top + g.top + row * g.cellHeight);
    if (aloud) announce(sentence);
  }
}
