// What chooses the measure of the chart: a tab each, with its last value and a small line of how it went.

import { element } from "../core/element.js";
import { Axis } from "./axis.js";
import { niceRange, valueAt } from "./measures.js";
import { pathOf, svg } from "./svg.js";

/** @import { Hello } from "../core/messages.js" */
/** @import { Drawn, Measure } from "./measures.js" */

/**
 * @typedef {object} Tabbed
 * @property {Measure} measure
 * @property {string} told what is drawn, with its window
 * @property {Drawn[]} lines
 * @property {{ place: string, lines: Drawn[] }[]} [others] of the runs beside
 */

const SPARK = { width: 56, height: 24 };

export class Tabs {
  /** @type {Map<string, { button: HTMLButtonElement, value: HTMLElement, spark: SVGElement }>} */
  #tabs = new Map();
  #onChoose;

  /** @param {(name: string) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
    this.element = element("div", { className: "measures" });
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Measure shown in the chart");
  }

  /** @param {Measure[]} measures those that the model has */
  setUp(measures) {
    const names = measures.map(({ name }) => name);
    if (names.join() === [...this.#tabs.keys()].join()) return;
    this.#tabs.clear();
    for (const { name, title } of measures) {
      const value = element("span", { className: "measure-value", textContent: "–" });
      const spark = svg("svg", {
        class: "measure-spark",
        viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
        "aria-hidden": "true",
      });
      const words = element("span", { className: "measure-words" }, element("b", { textContent: title }), value);
      const button = element("button", { type: "button", className: "measure", dataset: { measure: name } }, words);
      button.append(spark);
      button.addEventListener("click", () => this.#onChoose(name));
      this.#tabs.set(name, { button, value, spark });
    }
    this.element.replaceChildren(...[...this.#tabs.values()].map(({ button }) => button));
  }

  /**
   * @param {Tabbed[]} shown
   * @param {string} chosen
   * @param {Hello} hello
   * @param {number} last the newest step
   * @param {number | null} step the one looked back at
   */
  show(shown, chosen, hello, last, step) {
    for (const { measure, told, lines, others = [] } of shown) {
      const tab = this.#tabs.get(measure.name);
      if (!tab) continue;
      tab.button.setAttribute("aria-pressed", String(measure.name === chosen));
      tab.button.title = `${measure.name === "accuracy" ? "Accuracy with ID · without ID" : measure.title}: ${told}`;
      const unit = unitOf(measure, hello);
      const blind = others.length ? [] : [lines[0]];
      const text = valueText(measure, lines, blind, others.length ? "" : unit, step);
      const twin = others.slice(0, 1).map((other) => valueText(measure, other.lines, [], unit, step));
      if (tab.value.dataset.text !== [text, ...twin].join()) {
        tab.value.dataset.text = [text, ...twin].join();
        const second = twin.map((textContent) => element("span", { className: "is-b", textContent }));
        tab.value.replaceChildren(text, ...second.flatMap((each) => [" ", each]));
      }
      const mains = [...others.slice(0, 1), { place: "a", lines }].flatMap((each) =>
        each.lines.slice(-1).map((main) => ({ place: each.place, main })),
      );
      const range = measure.range(hello) ?? niceRange(mains.map(({ main }) => main));
      const axis = new Axis(last, 1, SPARK.width - 1);
      const paths = mains.map(({ place, main }) =>
        svg("path", {
          class: `is-${place}`,
          d: pathOf(
            main.xs.map((each) => axis.x(each)),
            main.ys.map(
              (value) => SPARK.height - 3 - ((SPARK.height - 6) * (value - range[0])) / (range[1] - range[0]),
            ),
          ),
        }),
      );
      tab.spark.replaceChildren(...paths);
    }
  }
}

/** @param {Measure} measure @param {Hello} hello */
const unitOf = ({ unit }, { experts }) => (unit === "of" ? ` of ${experts}` : unit ? ` ${unit}` : "");

/**
 * @param {Measure} measure
 * @param {Drawn[]} lines
 * @param {Drawn[]} blind the line without ID, where it is told
 * @param {string} unit
 * @param {number | null} step
 */
function valueText(measure, lines, [blind], unit, step) {
  /** @param {Drawn | undefined} line */
  const at = (line) => (line ? valueAt(line, step ?? Infinity) : undefined);
  const main = at(lines.at(-1));
  if (main === undefined) return "–";
  const second = measure.name === "accuracy" && lines.length > 1 ? at(blind) : undefined;
  return `${measure.text(main)}${unit}${second === undefined ? "" : ` · ${measure.text(second)}`}`;
}
