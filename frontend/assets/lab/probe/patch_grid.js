// A probed image under its patches: each has the letter of the expert that takes it first, in its task's colour.

import { element } from "../core/element.js";
import { pixelCanvas } from "../core/pixels.js";

const UNTAKEN = -1;
/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @typedef {object} Patches
 * @property {number[]} expert
 * @property {number[]} blind
 * @property {number[] | null} gate
 * @property {(expert: number) => string} colour
 *
 * @typedef {object} Pointed
 * @property {(expert: number) => void} point
 * @property {(expert: number) => void} pin
 * @property {() => void} leave
 */

export class PatchGrid {
  root = element("div", { className: "probe-image" });
  #cells = element("div", { className: "probe-patches" });
  #on;
  #pixels = "";

  /** @param {Pointed} on */
  constructor(on) {
    this.#on = on;
    this.#cells.setAttribute("role", "group");
    this.#cells.setAttribute("aria-label", "Patches of the image; arrow keys move between them");
    this.#cells.addEventListener("pointerleave", () => on.leave());
    this.#cells.addEventListener("focusout", () => on.leave());
    this.#cells.addEventListener("keydown", (event) => this.#move(event));
  }

  /**
   * @param {ArrayLike<number>} pixels
   * @param {number} side
   * @param {string} label
   * @param {Patches | null} patches null before there is an answer
   */
  show(pixels, side, label, patches) {
    const key = `${label} ${Array.from(pixels).join()}`;
    if (key !== this.#pixels) {
      this.#pixels = key;
      this.root.replaceChildren(pixelCanvas(pixels, side, label), this.#cells);
    }
    const many = patches?.expert.length ?? 0;
    const across = Math.round(Math.sqrt(many));
    this.#cells.style.gridTemplateColumns = `repeat(${across || 1}, 1fr)`;
    this.#cells.classList.toggle("is-fine", across > 5);
    while (this.#cells.childElementCount > many) this.#cells.lastElementChild?.remove();
    while (this.#cells.childElementCount < many) this.#cells.append(this.#cell(this.#cells.childElementCount));
    if (!patches) return;
    patches.expert.forEach((expert, place) => {
      const cell = /** @type {HTMLElement} */ (this.#cells.children[place]);
      const name = expert === UNTAKEN ? "none" : `E${expert}`;
      if (cell.textContent !== name) cell.textContent = name;
      cell.dataset.expert = String(expert);
      cell.style.setProperty("--patch", expert === UNTAKEN ? "transparent" : patches.colour(expert));
      const weight = patches.gate ? `, weight ${patches.gate[place].toFixed(2)}` : "";
      cell.setAttribute("aria-label", `Patch ${place}: ${name}${weight}; without ID E${patches.blind[place]}`);
      cell.title = cell.getAttribute("aria-label") ?? "";
    });
  }

  /** @param {number} place */
  #cell(place) {
    const cell = element("button", { type: "button", className: "probe-patch", tabIndex: place ? -1 : 0 });
    const expert = () => Number(cell.dataset.expert);
    cell.addEventListener("pointerenter", () => this.#on.point(expert()));
    cell.addEventListener("focus", () => this.#on.point(expert()));
    cell.addEventListener("click", () => this.#on.pin(expert()));
    return cell;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const move = MOVES[event.key];
    const cells = /** @type {HTMLElement[]} */ (Array.from(this.#cells.children));
    const at = cells.findIndex((cell) => cell === document.activeElement);
    if (!move || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const across = Math.round(Math.sqrt(cells.length));
    const [x, y] = [(at % across) + move[0], Math.floor(at / across) + move[1]];
    if (x < 0 || y < 0 || x >= across || y >= across) return;
    cells[at].tabIndex = -1;
    cells[y * across + x].tabIndex = 0;
    cells[y * across + x].focus();
  }
}
