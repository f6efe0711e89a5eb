// One of the two runs of a comparison: its badge and name, its picture in the lens chosen, its work and its counts.

import { element } from "../core/element.js";
import { percent } from "../core/format.js";
import { countLinks } from "../core/story.js";
import { Heatmap } from "../pictures/heatmap.js";
import { layerOf } from "../pictures/panel.js";
import { PICTURES } from "../pictures/registry.js";
import { inFew } from "./story.js";
import { workMatrix, workOf } from "./work.js";

/** @import { Clashes } from "../core/clashes.js" */
/** @import { Frame } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { ArchitectureText } from "../core/settings.js" */
/** @import { Place } from "../pictures/matrix.js" */
/** @import { Context, Picture } from "../pictures/picture.js" */

/**
 * @typedef {"matrix" | "threads" | "routing" | "conflict" | "difference"} TwinLens
 *
 * @typedef {object} Shown what a side shows
 * @property {string} name what the run is called beside the other
 * @property {string} role "this run", "the twin"
 * @property {string} state what keeps it from being at the step of the other; empty where nothing does
 * @property {Hello | null} hello
 * @property {Frame | null} frame
 * @property {Clashes | null} clashes
 * @property {[number | undefined, number | undefined]} accuracy with ID and without
 * @property {ArchitectureText} words
 *
 * @typedef {object} Pointed
 * @property {(target: Target, sentence: string) => void} point
 * @property {(target: Target, sentence: string) => void} move
 * @property {(target: Target, sentence: string) => void} pin
 * @property {() => void} leave
 * @property {() => void} free
 */

/** @param {TwinLens} lens */
export const pictureOf = (lens) => {
  const name = lens === "matrix" || lens === "difference" ? "topology" : lens;
  return /** @type {Picture} */ (PICTURES.find((picture) => picture.name === name));
};

export class Side {
  #picture = pictureOf("matrix");
  #layer = 0;
  #title = element("h2");
  #note = element("span", { className: "twin-note" });
  #scale = element("div", { className: "legend" });
  #host = element("div", { className: "picture" });
  #workHost = element("div", { className: "picture" });
  #workEnds = element("div", { className: "twin-ends", ariaHidden: "true" });
  #counts = element("dl", { className: "twin-counts" });
  #said = "";

  /**
   * @param {"A" | "B"} letter
   * @param {Pointed} on
   */
  constructor(letter, on) {
    this.letter = letter;
    const badge = element("span", { className: `badge badge-${letter.toLowerCase()}`, textContent: letter });
    this.element = element(
      "section",
      { className: `twin-side is-${letter.toLowerCase()}`, dataset: { side: letter.toLowerCase() } },
      element("div", { className: "twin-head" }, badge, this.#title, this.#note, this.#scale),
      element(
        "div",
        { className: "twin-pictures" },
        this.#host,
        element("div", { className: "twin-work" }, this.#workHost, this.#workEnds),
      ),
      this.#counts,
    );
    /** @param {Place} place */
    const about = ({ row, col, only }) => {
      const { expert, block, task, other } = this.#picture.target(row, col);
      const none = { expert: null, block: null, task: null, other: null };
      if (only === "row") return { ...none, expert };
      return only === "col" ? { ...none, expert: other, block, task } : { expert, block, task, other };
    };
    /** @param {(place: Place) => Target} targetOf */
    const pointing = (targetOf) => ({
      point: (/** @type {Place} */ place, /** @type {string} */ text) => on.point(targetOf(place), text),
      move: (/** @type {Place} */ place, /** @type {string} */ text) => on.move(targetOf(place), text),
      pin: (/** @type {Place} */ place, /** @type {string} */ text) => on.pin(targetOf(place), text),
      leave: on.leave,
      free: on.free,
    });
    const of = () => `run ${letter}, layer ${this.#layer + 1}`;
    this.heatmap = new Heatmap(this.#host, () => `${this.#picture.title} of ${of()}`, pointing(about));
    this.work = new Heatmap(
      this.#workHost,
      () => `Work of ${of()}`,
      pointing(({ row }) => ({ expert: row, block: null, task: null, other: null })),
    );
  }

  close() {
    this.heatmap.close();
    this.work.close();
  }

  /**
   * @param {Shown} shown
   * @param {{ layer: number, lens: TwinLens, target: Target | null, top: number, leastTop: number }} how `top` of the
   *   scale of work, `leastTop` of that of the picture
   */
  show(shown, { layer, lens, target, top, leastTop }) {
    const { hello, frame } = shown;
    this.#layer = layer;
    this.#picture = pictureOf(lens);
    const arrays = frame ? layerOf(frame, layer) : undefined;
    const counts = arrays?.connection ? countLinks(arrays.connection) : null;
    this.#say(shown, counts);
    this.element.classList.toggle("has-no-work", lens === "routing" || (arrays !== undefined && !workOf(arrays)));
    if (!hello || !frame || !arrays) {
      if (hello && frame) this.heatmap.say(this.#picture.absent(shown.words));
      else this.heatmap.clear();
      this.work.clear();
      return;
    }
    /** @type {Context} */
    const context = { hello, step: frame.step, clashes: shown.clashes, target, leastTop };
    const lit = target ? this.#picture.lit(target) : { row: null, col: null };
    if (this.#picture.needs.every((name) => name in arrays)) {
      const matrix = this.#picture.matrix(arrays, context);
      this.heatmap.show(matrix, lit);
      const legend = lens === "routing" ? `bars to ${percent(matrix.top ?? 0)}` : "";
      const scale = lens === "conflict" ? (this.#picture.legend?.(hello, matrix) ?? []).slice(0, 3) : [legend];
      this.#scale.replaceChildren(...scale.filter(Boolean));
    } else this.heatmap.say(this.#picture.absent(shown.words));
    const work = workOf(arrays);
    if (work) this.work.show(workMatrix(work, hello, top), { row: lit.row, col: null });
    else this.work.clear();
    const ends = `0 ${Math.round(100 * top)}`;
    if (this.#workEnds.dataset.ends !== ends) {
      this.#workEnds.dataset.ends = ends;
      this.#workEnds.replaceChildren(...ends.split(" ").map((textContent) => element("span", { textContent })));
    }
  }

  /**
   * The top that the picture's scale has by itself; 0 where it is fixed.
   *
   * @param {Shown} shown
   * @param {number} layer
   * @param {TwinLens} lens
   */
  static topOf({ hello, frame, clashes }, layer, lens) {
    const picture = pictureOf(lens);
    const arrays = frame ? layerOf(frame, layer) : undefined;
    if (!hello || !frame || !arrays || !picture.needs.every((name) => name in arrays)) return 0;
    return picture.matrix(arrays, { hello, step: frame.step, clashes }).top ?? 0;
  }

  /** What screen readers hear of the pictures. */
  describe() {
    this.heatmap.describe();
    this.work.describe();
  }

  /** The sentence of a cell, where there is one. @param {number} row @param {number} col */
  read(row, col) {
    const { matrix } = this.heatmap;
    return matrix && row < matrix.rows && col < matrix.cols ? matrix.read(row, col) : "";
  }

  /**
   * @param {Shown} shown
   * @param {ReturnType<typeof countLinks> | null} counts
   */
  #say({ name, role, state, accuracy: [told, blind] }, counts) {
    /** @type {[string, string][]} */
    const facts = [];
    if (counts) facts.push([String(counts.cut), `of ${counts.links} cut`]);
    if (counts?.hasOwn) facts.push([String(counts.crossing), counts.crossing === 1 ? "crosses" : "cross"]);
    if (told !== undefined) facts.push([percent(told), "with ID"]);
    if (blind !== undefined) facts.push([percent(blind), "without ID"]);
    const note = state || (counts ? inFew(counts) : "");
    const said = JSON.stringify([name, role, note, facts]);
    if (said === this.#said) return;
    this.#said = said;
    this.#title.textContent = [name, role].filter(Boolean).join(", ");
    this.#note.textContent = note;
    this.element.setAttribute("aria-label", `Run ${this.letter}: ${this.#title.textContent}`);
    this.#counts.replaceChildren(
      ...facts.map(([value, meaning]) =>
        element("div", {}, element("dd", { textContent: value }), element("dt", { textContent: meaning })),
      ),
    );
  }
}
