// The lens of the difference: B minus A in the places of the matrix, and beside it what differs most, in words.

import { element } from "../core/element.js";
import { Heatmap } from "../pictures/heatmap.js";
import { legendBar } from "../pictures/legend.js";
import { colours } from "../core/colours.js";
import { cell } from "../core/format.js";
import { CUT } from "../core/story.js";
import { differenceMatrix, differenceOf, largest, signed } from "./difference.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Place } from "../pictures/matrix.js" */
/** @import { Pointed } from "./side.js" */

const LISTED = 7;

export class DifferenceView {
  #layer = 0;
  #said = "";
  #host = element("div", { className: "picture" });
  #scale = element("div", { className: "legend" });
  #list = element("ol", { className: "twin-largest" });
  #counts = element("dl", { className: "twin-counts" });
  #note = element("span", { className: "twin-note" });
  /** What is shown differs where the step does. */
  #steps = element("span", { className: "twin-note" });

  /** @param {Pointed} on */
  constructor(on) {
    this.element = element(
      "div",
      { className: "twin-difference", hidden: true },
      element(
        "section",
        { className: "twin-side", ariaLabel: "Difference of the topologies" },
        element(
          "div",
          { className: "twin-head" },
          element("h2", { textContent: "B minus A" }),
          this.#note,
          this.#scale,
        ),
        element("div", { className: "twin-pictures" }, this.#host),
        this.#counts,
      ),
      element(
        "section",
        { className: "twin-side", ariaLabel: "What differs most" },
        element("div", { className: "twin-head" }, element("h2", { textContent: "What differs most" }), this.#steps),
        this.#list,
      ),
    );
    /** @param {Place} place @returns {Target} */
    const about = ({ row, col, only }) => ({
      expert: only === "col" ? null : row,
      block: only === "row" ? null : col,
      task: null,
      other: null,
    });
    this.heatmap = new Heatmap(this.#host, () => `B minus A, layer ${this.#layer + 1}`, {
      point: (place, text) => on.point(about(place), text),
      move: (place, text) => on.move(about(place), text),
      pin: (place, text) => on.pin(about(place), text),
      leave: on.leave,
      free: on.free,
    });
  }

  close() {
    this.heatmap.close();
  }

  /** Made anew in the present colours. */
  repaint() {
    this.#scale.replaceChildren("more in A", legendBar(colours.difference), "more in B");
  }

  /**
   * @param {FrameArray | undefined} a sigma(A) of run A
   * @param {FrameArray | undefined} b of run B
   * @param {{ layer: number, target: Target | null, steps: string }} how
   */
  show(a, b, { layer, target, steps }) {
    this.#layer = layer;
    const found = differenceOf(a, b);
    if (!found || !a || !b) {
      const shapes = a && b ? `A has ${a.rows} experts and ${a.cols} blocks, B ${b.rows} and ${b.cols}` : "";
      this.heatmap.say(
        a && b
          ? `A difference needs the same experts and blocks: ${shapes}.`
          : "A difference needs a topology in both runs.",
      );
      this.#say([], [], "", steps);
      return;
    }
    this.heatmap.show(differenceMatrix(found, a, b), { row: target?.expert ?? null, col: target?.block ?? null });
    const lines = largest(found, LISTED).map(({ value, row, col }) => {
      const [own, other] = [a.data[row * a.cols + col], b.data[row * b.cols + col]];
      return `E${row} to B${col} ${signed(value)} ${told(own)} in A, ${told(other)} in B`;
    });
    this.#say(
      lines,
      [
        [String(found.cutInA), "cut in A alone"],
        [String(found.cutInB), "cut in B alone"],
        [String(found.cutInBoth), "cut in both"],
        [found.mean.toFixed(2).replace(/^0/, ""), "mean difference"],
      ],
      found.mean < 0.005 ? "the same" : "",
      steps,
    );
  }

  describe() {
    this.heatmap.describe();
  }

  /**
   * @param {string[]} lines
   * @param {[string, string][]} facts
   * @param {string} note
   * @param {string} steps
   */
  #say(lines, facts, note, steps) {
    const said = JSON.stringify([lines, facts, note, steps]);
    if (said === this.#said) return;
    this.#said = said;
    this.#note.textContent = note;
    this.#steps.textContent = steps;
    const items = lines.map((line) => {
      const [, link, value, rest] = /** @type {RegExpMatchArray} */ (/^(E\d+ to B\d+) (\S+) (.+)$/.exec(line));
      const size = element("b", { textContent: value, className: value.startsWith("+") ? "is-b" : "" });
      return element("li", {}, element("span", { textContent: link }), size, element("span", { textContent: rest }));
    });
    if (!items.length) items.push(element("li", { textContent: "No link differs by .05 or more." }));
    this.#list.replaceChildren(...items);
    this.#counts.replaceChildren(
      ...facts.map(([value, meaning]) =>
        element("div", {}, element("dd", { textContent: value }), element("dt", { textContent: meaning })),
      ),
    );
  }
}

/** @param {number} value */
const told = (value) => (value < CUT ? "cut" : cell(value));
