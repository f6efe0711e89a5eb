// A picture's column of the figure, made from its declaration: it has its full size before there is anything to draw.

import { element } from "../core/element.js";
import { targetOf } from "../core/focus.js";
import { Heatmap } from "./heatmap.js";

/** @import { Frame, LayerArrays } from "../core/frames.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Place } from "./matrix.js" */
/** @import { Context, Lens, Picture } from "./picture.js" */

/**
 * @typedef {object} Pointed what a panel is told of pointer and keyboard
 * @property {(target: Target, sentence: string) => void} point
 * @property {(target: Target, sentence: string) => void} move
 * @property {(target: Target, sentence: string) => void} pin
 * @property {() => void} leave
 * @property {() => void} free
 */

/** Of a picture that was never on the page, px. */
const USUAL = { width: 340, height: 280 };

export class PicturePanel {
  #scale = element("div", { className: "legend" });
  #legend = element("div", { className: "legend picture-foot" });
  #subtitle;
  #table;
  /** What the legend was made for. */
  #made = "";
  /** @type {Hello | null} */
  #hello = null;
  #host;

  /**
   * @param {Picture} picture
   * @param {() => number} layer the page's one layer, from 0
   * @param {Pointed} on
   */
  constructor(picture, layer, on) {
    this.picture = picture;
    this.#host = element("div", { className: "picture" });
    const { name, title, subtitle } = picture;
    const isBare = name === "backbone"; // lies under the topology and needs no title of its own
    this.#subtitle = element("p", { className: "subtitle", textContent: subtitle });
    this.#table = picture.table ? element("table", { className: "visually-hidden" }) : null;
    this.section = element(
      "section",
      { className: `picture-panel picture-${name}`, dataset: { picture: name } },
      isBare
        ? null
        : element(
            "div",
            { className: "picture-head" },
            element("h2", { textContent: title }),
            whyOf(picture),
            picture.scale ? this.#scale : null,
          ),
      isBare ? null : this.#subtitle,
      this.#host,
      isBare ? element("p", { className: "subtitle", textContent: `${title}: ${subtitle}` }) : null,
      picture.legend ? this.#legend : null,
      this.#table,
    );
    this.section.setAttribute("aria-label", title);
    /** @param {Place} place */
    const about = ({ row, col, only }) => {
      const { expert, block, task, other } = picture.target(row, col);
      if (only === "row") return targetOf({ expert });
      return only === "col" ? targetOf({ expert: other, block, task }) : targetOf({ expert, block, task, other });
    };
    this.heatmap = new Heatmap(this.#host, () => `${title}, layer ${layer() + 1}`, {
      point: (place, sentence) => on.point(about(place), sentence),
      move: (place, sentence) => on.move(about(place), sentence),
      pin: (place, sentence) => on.pin(about(place), sentence),
      leave: on.leave,
      free: on.free,
    });
  }

  /**
   * Whether it is seen, and its legends in the present colours.
   *
   * @param {{ lens: Lens, hello: Hello | null, isPresent: boolean, hasTopology: boolean }} state
   */
  mark({ lens, hello, isPresent, hasTopology }) {
    const { picture } = this;
    this.#hello = hello;
    this.section.hidden =
      (picture.lens !== undefined && picture.lens !== lens) ||
      (!isPresent && (hasTopology || picture.name !== "routing"));
    this.#made = "";
    this.#explain();
  }

  /** Make the legends, if what they say has changed. */
  #explain() {
    const { matrix } = this.heatmap;
    const made = `${matrix?.top} ${matrix?.subtitle}`;
    if (this.#made === made) return;
    this.#made = made;
    const { picture } = this;
    this.#subtitle.textContent = matrix?.subtitle || picture.subtitle;
    if (picture.scale) this.#scale.replaceChildren(...picture.scale(matrix));
    if (picture.legend) this.#legend.replaceChildren(...picture.legend(this.#hello, matrix));
  }

  /** The y of a row's middle within the pictures, px; null where nothing is drawn. @param {number} row */
  rowBox(row) {
    const g = this.heatmap.geometry;
    if (!g || this.section.hidden) return null;
    return {
      top: this.section.offsetTop + this.#host.offsetTop + g.top + row * g.cellHeight,
      height: g.cellHeight - g.gap,
    };
  }

  /**
   * @param {Frame} frame
   * @param {number} layer
   * @param {Context} context
   * @param {string} absent why there is no picture
   */
  show(frame, layer, context, absent) {
    const matrix = this.matrixOf(frame, layer, context);
    if (matrix) {
      const lit = context.target ? this.picture.lit(context.target) : { row: null, col: null };
      this.heatmap.show(matrix, lit);
      this.#explain();
    } else this.heatmap.say(absent);
  }

  /**
   * What is drawn of a frame; null where the frame has not what it takes.
   *
   * @param {Frame} frame
   * @param {number} layer
   * @param {Context} context
   */
  matrixOf(frame, layer, context) {
    const arrays = layerOf(frame, layer);
    return arrays && this.picture.needs.every((name) => name in arrays) ? this.picture.matrix(arrays, context) : null;
  }

  /** Size of the picture in a file, px: as on the page, or usual where the page has not shown it yet. */
  get sizeToTake() {
    const { size } = this.heatmap;
    return size.width ? size : USUAL;
  }

  /**
   * For screen readers; once a second is often enough.
   *
   * @param {Frame | null} frame
   * @param {number} layer
   * @param {Context | null} context
   */
  describe(frame, layer, context) {
    if (this.section.hidden) return;
    this.heatmap.describe();
    const arrays = frame && layerOf(frame, layer);
    if (
      !this.#table ||
      !this.picture.table ||
      !arrays ||
      !context ||
      !this.picture.needs.every((name) => name in arrays)
    ) {
      return;
    }
    const head = ["Expert", "Borrows, with σ(A)"].map((textContent) => element("th", { textContent }));
    const rows = this.picture
      .table(arrays, context)
      .map((cells) => element("tr", {}, ...cells.map((textContent) => element("td", { textContent }))));
    this.#table.replaceChildren(
      element("caption", { textContent: `${this.picture.title}, layer ${layer + 1}: ${this.picture.subtitle}` }),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...rows),
    );
  }
}

/**
 * A layer's arrays; a dense net's frames have none.
 *
 * @param {Frame} frame
 * @param {number} layer
 * @returns {LayerArrays | undefined}
 */
export const layerOf = (frame, layer) => frame.layers[Math.min(layer, frame.layers.length - 1)];

/** The "?" beside a title. @param {Picture} picture */
function whyOf({ title, why }) {
  const question = element("summary", { textContent: "?" });
  question.setAttribute("aria-label", `What is this: ${title}`);
  return element("details", { className: "why" }, question, element("p", { textContent: why }));
}
