// A matrix on a canvas of its own, with a cursor for mouse, finger and keyboard.

import { element } from "../core/element.js";
import { drawRing } from "./cells.js";
import { drawMatrix, drawSkeleton, geometryOf } from "./matrix.js";

/** @import { Geometry, Matrix, Place } from "./matrix.js" */

/** Rows and columns a key moves the cursor by. @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** @typedef {{ row: number | null, col: number | null }} Lit */

/**
 * How a heatmap tells what is pointed at.
 *
 * @typedef {object} Pointing
 * @property {(place: Place, sentence: string) => void} point the pointer is on a cell
 * @property {(place: Place, sentence: string) => void} move the keyboard's cursor is on a cell
 * @property {(place: Place, sentence: string) => void} pin a cell was clicked, tapped, or Enter was pressed
 * @property {() => void} leave the pointer has left
 * @property {() => void} free Escape was pressed
 */

/**
 * @param {number} value
 * @param {number} size
 */
const clamp = (value, size) => Math.max(0, Math.min(size - 1, value));

export class Heatmap {
  /** The matrix drawn last. @type {Matrix | null} */
  matrix = null;
  /** @type {Geometry | null} */
  geometry = null;
  #canvas = element("canvas", { tabIndex: 0 });
  #absent = element("div", { className: "picture-absent", hidden: true });
  /** In the units that are drawn in: CSS pixels, larger ones where the page is presented. */
  #size = { width: 0, height: 0 };
  #enlarged = 1;
  /** Where the keyboard is. @type {{ row: number, col: number } | null} */
  #cursor = null;
  /** @type {Lit} */
  #lit = { row: null, col: null };
  #sized = new ResizeObserver(() => this.#fit());
  #context;
  #host;
  #title;

  /**
   * @param {HTMLElement} host
   * @param {() => string} title names the picture for screen readers
   * @param {Pointing} pointing
   */
  constructor(host, title, pointing) {
    this.#host = host;
    this.#title = title;
    this.#canvas.setAttribute("role", "application");
    this.#canvas.setAttribute("aria-roledescription", "matrix, read with the arrow keys");
    this.#canvas.setAttribute("aria-label", title());
    this.#context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
    host.append(this.#canvas, this.#absent);
    this.#listen(pointing);
    this.#sized.observe(host);
    this.#fit();
  }

  /** Of the canvas on the page, px. */
  get size() {
    return this.#size;
  }

  close() {
    this.#sized.disconnect();
  }

  /**
   * Draw a matrix.
   *
   * @param {Matrix} matrix
   * @param {Lit} lit
   */
  show(matrix, lit) {
    this.matrix = matrix;
    this.#lit = lit;
    this.#absent.hidden = true;
    this.redraw();
  }

  /** Say in one sentence why there is no picture. @param {string} sentence */
  say(sentence) {
    this.matrix = null;
    if (this.#absent.textContent !== sentence) this.#absent.textContent = sentence;
    this.#absent.hidden = false;
    this.#canvas.setAttribute("aria-label", `${this.#title()}. ${sentence}`);
  }

  /** Nothing is known yet: back to the skeleton. */
  clear() {
    this.matrix = null;
    this.#cursor = null;
    this.#absent.hidden = true;
    this.redraw();
  }

  /** Name the picture and its extremes for screen readers. Not every frame: it would be read too often. */
  describe() {
    if (this.matrix) this.#canvas.setAttribute("aria-label", `${this.#title()}. ${this.matrix.summary()}`);
  }

  redraw() {
    if (!this.#size.width) return;
    const c = this.#context;
    c.clearRect(0, 0, this.#size.width, this.#size.height);
    if (!this.matrix) {
      drawSkeleton(c, this.#size);
      return;
    }
    this.geometry = geometryOf(this.#size, this.matrix);
    drawMatrix(c, this.geometry, this.matrix, this.#lit);
    const { row, col } = this.#cursor || this.#lit;
    if (row === null || col === null || this.matrix.paint) return;
    if (row < this.matrix.rows && col < this.matrix.cols) drawRing(c, this.geometry, { row, col });
  }

  #fit() {
    const { width, height } = this.#host.getBoundingClientRect();
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    this.#enlarged = Number(getComputedStyle(this.#host).getPropertyValue("--enlarge")) || 1;
    this.#size = { width: width / this.#enlarged, height: height / this.#enlarged };
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    this.#context.setTransform(ratio * this.#enlarged, 0, 0, ratio * this.#enlarged, 0, 0);
    this.redraw();
  }

  /** @param {Pointing} pointing */
  #listen({ point, move, pin, leave, free }) {
    this.#canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "mouse" && event.pointerType !== "pen") return; // a finger that moves scrolls
      const place = this.#placeAt(event);
      if (place) point(place, this.#read(place));
      else leave();
    });
    this.#canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") leave();
    });
    this.#canvas.addEventListener("click", (event) => {
      const place = this.#placeAt(event);
      if (place) pin(place, this.#read(place));
    });
    this.#canvas.addEventListener("blur", () => this.#forget());
    this.#canvas.addEventListener("keydown", (event) => {
      const step = MOVES[event.key];
      if (event.key === "Escape") {
        this.#forget();
        free();
      }
      if (event.key === "Enter" && this.#cursor && this.matrix) pin(this.#cursor, this.#read(this.#cursor));
      if (!step || !this.matrix) return;
      event.preventDefault();
      const to = this.#cursor ? [this.#cursor.row + step[0], this.#cursor.col + step[1]] : [0, 0];
      this.#cursor = { row: clamp(to[0], this.matrix.rows), col: clamp(to[1], this.matrix.cols) };
      move(this.#cursor, this.#read(this.#cursor));
      this.redraw();
    });
  }

  /** What a cell says; a whole row or column has its card alone. @param {Place} place */
  #read({ row, col, only }) {
    return this.matrix && !only ? this.matrix.read(row, col) : "";
  }

  /** @param {MouseEvent} event @returns {Place | null} */
  #placeAt({ clientX, clientY }) {
    const [matrix, g] = [this.matrix, this.geometry];
    if (!matrix || !g) return null;
    const box = this.#canvas.getBoundingClientRect();
    const [x, y] = [(clientX - box.left) / this.#enlarged, (clientY - box.top) / this.#enlarged];
    if (matrix.hit) return matrix.hit(x, y, g);
    const [row, col] = [Math.floor((y - g.top) / g.cellHeight), Math.floor((x - g.left) / g.cellWidth)];
    if (row >= matrix.rows || col >= matrix.cols || (row < 0 && col < 0)) return null;
    if (row < 0) return { row: 0, col, only: "col" };
    if (col < 0) return { row, col: 0, only: "row" };
    return { row, col };
  }

  #forget() {
    if (!this.#cursor) return;
    this.#cursor = null;
    this.redraw();
  }
}
