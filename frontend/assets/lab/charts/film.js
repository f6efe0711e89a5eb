// The film is the scrubber: log-spaced pictures of sigma(A), a row a run; drag, click or the arrow keys go back in time.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { pictureName } from "./axis.js";
import { momentOf } from "./film_moments.js";
import { drawThumb } from "./thumb.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Axis } from "./axis.js" */
/** @import { FilmMoments, Moment } from "./film_moments.js" */

/**
 * A run of the film.
 *
 * @typedef {object} Row
 * @property {string} label empty where there is one run only
 * @property {string} place by which it is told apart from the others
 * @property {FilmMoments} moments
 * @property {Frame | null} pinned the frame looked back at
 * @property {{ rows: number, cols: number }} shape of sigma(A)
 *
 * @typedef {object} Shown
 * @property {Axis} axis
 * @property {Row[]} rows
 * @property {number} layer
 * @property {number | null} step the one looked back at
 * @property {{ step: number, label: string }[]} changes where a person acted
 *
 * @typedef {object} Actions
 * @property {(step: number) => void} seek
 * @property {() => void} live
 * @property {() => void} play
 * @property {() => number | null} at the step looked back at, also where it is not drawn yet; null for live
 */

export const LARGEST = 44;
/** Sizes of a picture with one run, two, three, four: the rows take the chart as little as they can. */
const LARGEST_OF = [LARGEST, 34, 24, 18];
const SMALLEST = 30;
const SPACE_OF = [8, 4, 4, 3];
const GAP = 8;
const ENLARGED = 160;
const LABEL_WIDTH = 46;
const KEYS = { ArrowLeft: -1, ArrowDown: -1, PageDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 1 };

export class Film {
  /** @type {Shown | null} */
  #shown = null;
  #isHeld = false;
  #drawn = "";
  #act;
  #rows = element("div", { className: "film-rows" });
  /** Around the pictures of the moment shown, where there are several runs. */
  #frame = element("div", { className: "film-frame", hidden: true, ariaHidden: "true" });
  #steps = element("div", { className: "film-steps", ariaHidden: "true" });
  #ticks = element("div", { className: "film-ticks", ariaHidden: "true" });
  #large = element("div", { className: "film-large", hidden: true, ariaHidden: "true" });
  #largeCanvas = element("canvas");
  #largeStep = element("b");

  /**
   * @param {string} part name of the slider among the view's parts
   * @param {Actions} act
   */
  constructor(part, act) {
    this.#act = act;
    this.track = element(
      "div",
      { className: "film", tabIndex: 0, dataset: { part } },
      this.#rows,
      this.#frame,
      this.#ticks,
      this.#steps,
    );
    this.track.setAttribute("role", "slider");
    this.track.setAttribute("aria-label", "Moment shown");
    this.#large.append(this.#largeCanvas, this.#largeStep);
    this.element = element("div", { className: "film-place" }, this.track, this.#large);
    this.#listen();
  }

  #listen() {
    const { track } = this;
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.#shown) return;
      this.#isHeld = true;
      track.setPointerCapture(event.pointerId);
      track.focus({ preventScroll: true });
      this.#seekTo(this.#pictureUnder(event) ?? this.#stepUnder(event));
      event.preventDefault();
    });
    track.addEventListener("pointermove", (event) => {
      if (this.#isHeld) this.#seekTo(this.#stepUnder(event));
      else if (event.pointerType === "mouse") this.#enlarge(this.#pictureUnder(event), this.#rowUnder(event));
    });
    for (const end of ["pointerup", "pointercancel"]) track.addEventListener(end, () => (this.#isHeld = false));
    track.addEventListener("pointerleave", () => this.#enlarge(null));
    track.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Whether it is dragged: then its axis stays as it is. */
  get isHeld() {
    return this.#isHeld;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const shown = this.#shown;
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const step = this.#act.at() ?? shown.axis.last;
    if (key in KEYS) {
      this.#seekTo(shown.axis.neighbour(step, KEYS[/** @type {keyof typeof KEYS} */ (key)] > 0 ? 1 : -1));
    } else if (key === "Home") this.#seekTo(0);
    else if (key === "End") this.#act.live();
    else if (key === " ") this.#act.play();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} step */
  #seekTo(step) {
    this.#enlarge(null);
    if (this.#shown) this.#act.seek(step);
  }

  /** @param {MouseEvent} event */
  #stepUnder({ clientX }) {
    return this.#shown ? this.#shown.axis.step(clientX - this.track.getBoundingClientRect().left) : 0;
  }

  /** The step of the picture that lies under the pointer, or null. @param {MouseEvent} event */
  #pictureUnder({ clientX }) {
    if (!this.#shown) return null;
    const { axis } = this.#shown;
    const x = clientX - this.track.getBoundingClientRect().left;
    const { steps, size } = this.#pictures(this.#shown);
    return steps.find((step) => Math.abs(axis.x(step) - x) <= size / 2) ?? null;
  }

  /** Which pictures there are, and how large. @param {Shown} shown */
  #pictures({ axis, rows }) {
    const largest = LARGEST_OF[Math.max(0, rows.length - 1)];
    const { steps, size } = axis.shown(LARGEST, GAP, SMALLEST);
    return { steps, size: Math.min(size, largest) };
  }

  /** The run whose picture lies under the pointer. @param {MouseEvent} event */
  #rowUnder({ clientY }) {
    const lines = [...this.#rows.children];
    const place = lines.findIndex((line) => clientY <= line.getBoundingClientRect().bottom);
    return place < 0 ? 0 : place;
  }

  /**
   * Show a picture large, above its place; with null none.
   *
   * @param {number | null} step
   * @param {number} [place] of its row
   */
  #enlarge(step, place = 0) {
    const shown = this.#shown;
    const row = shown?.rows[place];
    const moment = shown && row && step !== null ? row.moments.near(step) : null;
    this.#large.hidden = !moment;
    if (!shown || !row || !moment || step === null) return;
    drawThumb(this.#largeCanvas, moment.layers[shown.layer], row.shape, ENLARGED);
    this.#largeStep.textContent = `${row.label ? `${row.label}, ` : ""}step ${count(moment.step)}`;
    const width = this.element.getBoundingClientRect().width;
    const left = Math.max(0, Math.min(width - ENLARGED - 24, shown.axis.x(step) - ENLARGED / 2 - 12));
    this.#large.style.left = `${left}px`;
  }

  /** @param {Shown} shown */
  show(shown) {
    this.#shown = shown;
    const { axis, rows, layer, step } = shown;
    const { track } = this;
    track.setAttribute("aria-valuemin", "0");
    track.setAttribute("aria-valuemax", String(axis.last));
    track.setAttribute("aria-valuenow", String(step ?? axis.last));
    const said = step === null ? `live, step ${count(axis.last)}` : `step ${count(step)} of ${count(axis.last)}`;
    track.setAttribute("aria-valuetext", said);
    const { steps, size } = this.#pictures(shown);
    const here = step ?? axis.last;
    this.#drawRows(shown, steps, size, here);
    this.#drawSteps(axis, steps, here, step === null);
    this.#ticks.replaceChildren(
      ...shown.changes.map(({ step: at, label }) => {
        const tick = element("span", { className: "film-tick", title: `${label}, step ${count(at)}` });
        tick.style.left = `${axis.x(at)}px`;
        return tick;
      }),
    );
    this.#drawn = `${rows.length} ${layer}`;
  }

  /**
   * @param {Shown} shown
   * @param {number[]} steps
   * @param {number} size
   * @param {number} here
   */
  #drawRows({ axis, rows, layer, step }, steps, size, here) {
    const before = this.#drawn;
    const space = SPACE_OF[rows.length - 1] ?? 8;
    this.#frame.hidden = rows.length < 2;
    this.#frame.style.left = `${Math.round(axis.x(here) - size / 2) - 5}px`;
    this.#frame.style.width = `${size + 10}px`;
    this.#frame.style.height = `${rows.length * (size + space) + 2}px`;
    while (this.#rows.childElementCount > rows.length) this.#rows.lastElementChild?.remove();
    for (const [place, row] of rows.entries()) {
      let line = /** @type {HTMLElement | undefined} */ (this.#rows.children[place]);
      if (!line) this.#rows.append((line = element("div", { className: "film-row" })));
      line.style.height = `${size + space}px`;
      line.dataset.label = row.label;
      line.dataset.place = row.place;
      const wanted = steps.filter((each) => each !== axis.last || step !== null);
      /** @type {{ x: number, moment: Moment | null, isHere: boolean, isLater: boolean }[]} */
      const pictures = wanted.map((each) => ({
        x: axis.x(each),
        moment: row.moments.near(each),
        isHere: false,
        isLater: each > here,
      }));
      const moment = row.pinned ? momentOf(row.pinned) : row.moments.newest;
      pictures.push({ x: axis.x(here), moment, isHere: true, isLater: false });
      this.#fill(line, pictures, size, row, layer, before !== `${rows.length} ${layer}`);
    }
  }

  /**
   * @param {HTMLElement} line
   * @param {{ x: number, moment: Moment | null, isHere: boolean, isLater: boolean }[]} pictures
   * @param {number} size
   * @param {Row} row
   * @param {number} layer
   * @param {boolean} anew
   */
  #fill(line, pictures, size, row, layer, anew) {
    while (line.childElementCount > pictures.length) line.lastElementChild?.remove();
    while (line.childElementCount < pictures.length) line.append(element("canvas", { className: "film-thumb" }));
    for (const [i, { x, moment, isHere, isLater }] of pictures.entries()) {
      const canvas = /** @type {HTMLCanvasElement} */ (line.children[i]);
      canvas.style.left = `${Math.round(x - size / 2)}px`;
      canvas.style.width = canvas.style.height = `${size}px`;
      canvas.className = `film-thumb${isHere ? " is-here" : ""}${isLater ? " is-later" : ""}`;
      canvas.hidden = !moment;
      const key = moment ? `${moment.step} ${layer} ${size}` : "";
      if (!anew && canvas.dataset.shows === key) continue;
      canvas.dataset.shows = key;
      drawThumb(canvas, moment?.layers[layer], row.shape, size);
    }
  }

  /** Draw every picture anew, in other colours. */
  repaint() {
    this.#drawn = "";
  }

  /**
   * Steps under the pictures, without those that the one looked at would cover.
   *
   * @param {Axis} axis
   * @param {number[]} steps
   * @param {number} here
   * @param {boolean} isLive
   */
  #drawSteps(axis, steps, here, isLive) {
    const others = steps.filter((step) => Math.abs(axis.x(step) - axis.x(here)) > LABEL_WIDTH);
    const names = [...others.map((step) => ({ step, isHere: false })), { step: here, isHere: true }];
    this.#steps.replaceChildren(
      ...names.map(({ step, isHere }) => {
        const isNewest = step === axis.last;
        const name = element("span", {
          className: `${isHere ? "is-here" : ""}${isNewest && !isLive ? " is-newest" : ""}`,
          textContent: count(isHere || isNewest ? step : pictureName(step)),
        });
        name.style.left = `${axis.x(step)}px`;
        return name;
      }),
    );
  }
}
