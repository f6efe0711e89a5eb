// Drawing an image: with mouse, finger or pen, or with arrow keys and the space bar.

import { paintPixels } from "../core/pixels.js";

const INK = 255;
const EDGE = 140; // of a stroke: pixels beside its middle
/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  canvas = document.createElement("canvas");
  pixels;
  #side;
  #onDrawn;
  #cursor = { x: 0, y: 0 };

  /**
   * @param {number} side pixels
   * @param {() => void} onDrawn a stroke has ended
   */
  constructor(side, onDrawn) {
    this.#side = side;
    this.#onDrawn = onDrawn;
    this.pixels = new Uint8Array(side * side);
    this.#cursor = { x: side >> 1, y: side >> 1 };
    const { canvas } = this;
    canvas.className = "pixels probe-pad";
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "Draw here; with arrow keys and the space bar, too");
    this.#paint();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#stroke(event);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && this.#stroke(event));
    canvas.addEventListener("pointerup", () => this.#onDrawn());
    canvas.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      if (!move && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      if (move) {
        this.#cursor.x = Math.max(0, Math.min(side - 1, this.#cursor.x + move[0]));
        this.#cursor.y = Math.max(0, Math.min(side - 1, this.#cursor.y + move[1]));
        this.#paint();
      } else {
        this.dab(this.#cursor.x, this.#cursor.y);
        this.#onDrawn();
      }
    });
  }

  clear() {
    this.pixels.fill(0);
    this.#paint();
  }

  /** Ink around a pixel. @param {number} x @param {number} y */
  dab(x, y) {
    const side = this.#side;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        const [px, py] = [Math.round(x) + dx, Math.round(y) + dy];
        if (px < 0 || py < 0 || px >= side || py >= side) continue;
        const ink = dx && dy ? EDGE : INK;
        this.pixels[py * side + px] = Math.max(this.pixels[py * side + px], ink);
      }
    }
    this.#paint();
  }

  /** @param {PointerEvent} event */
  #stroke(event) {
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    const scale = this.#side / box.width;
    this.dab((event.clientX - box.left) * scale - 0.5, (event.clientY - box.top) * scale - 0.5);
  }

  #paint() {
    paintPixels(this.canvas, this.pixels, this.#side);
  }
}
