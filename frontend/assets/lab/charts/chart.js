// The large chart below the film, on the film's axis: one measure, values at the right, phases and changes as lines.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { niceRange, valueAt } from "./measures.js";
import { pathOf, svg } from "./svg.js";

/** @import { Hello } from "../core/messages.js" */
/** @import { Axis } from "./axis.js" */
/** @import { Band, Place } from "./beside.js" */
/** @import { Drawn, Measure } from "./measures.js" */

/**
 * @typedef {{ step: number, label: string, by: "person" | "controller" | "phase" }} ChartMark
 *
 * @typedef {object} Run what is drawn of one run
 * @property {Drawn[]} lines strong lines last
 * @property {Place} place by which it is told apart: a is solid, the others are dashed
 * @property {string} name behind its value; empty where there is one run only
 * @property {Band | null} band of several seeds of its settings
 *
 * @typedef {object} ShownChart
 * @property {Axis} axis
 * @property {Measure} measure
 * @property {Hello} hello
 * @property {Run[]} runs
 * @property {ChartMark[]} marks
 * @property {number | null} step the one looked back at
 * @property {number} gutter px left of the axis
 */

const TOP = 14;
const BOTTOM = 6;
const LINE_HEIGHT = 16;
const LETTER = 6.6;
const HALF_PICTURE = 22;

export class Chart {
  /** @type {ShownChart | null} */
  #shown = null;
  /** The step under the pointer. @type {number | null} */
  #hovered = null;
  #onPick;

  /** @param {(step: number) => void} onPick shows a moment */
  constructor(onPick) {
    this.#onPick = onPick;
    this.svg = svg("svg", { class: "chart-svg", role: "img" });
    this.labels = element("div", { className: "chart-labels", ariaHidden: "true" });
    this.element = element("div", { className: "chart" });
    this.element.append(this.svg, this.labels);
    this.element.addEventListener("pointermove", (event) => this.#hover(event));
    this.element.addEventListener("pointerleave", () => this.#hover(null));
    this.element.addEventListener("click", (event) => {
      const step = this.#stepUnder(event);
      if (step !== null) this.#onPick(step);
    });
  }

  /** @param {MouseEvent} event */
  #stepUnder({ clientX }) {
    if (!this.#shown) return null;
    const { axis } = this.#shown;
    const x = clientX - this.element.getBoundingClientRect().left;
    return x >= axis.left - HALF_PICTURE && x <= axis.right + HALF_PICTURE ? axis.step(x) : null;
  }

  /** @param {MouseEvent | null} event */
  #hover(event) {
    const step = event ? this.#stepUnder(event) : null;
    if (step === this.#hovered) return;
    this.#hovered = step;
    if (this.#shown) this.show(this.#shown);
  }

  /** @param {ShownChart} shown */
  show(shown) {
    this.#shown = shown;
    const { axis, measure, hello, runs, marks, step, gutter } = shown;
    const { width, height } = this.element.getBoundingClientRect();
    const drawn = runs.flatMap(({ lines }) => lines);
    const bands = runs.flatMap(({ band }) => (band ? [{ ys: band.high }] : []));
    const range = measure.range(hello) ?? niceRange([...drawn, ...bands]);
    const bottom = height - BOTTOM;
    /** @param {number} value */
    const y = (value) => bottom - ((bottom - TOP) * (value - range[0])) / (range[1] - range[0]);
    const end = axis.right + HALF_PICTURE;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren(...grid(measure, range, { from: gutter, to: end, y, isLow: height < 110 }));
    for (const { band, place } of runs) if (band) this.svg.append(...bandOf(band, place, axis, y));
    this.svg.append(...this.#marks(marks, axis, bottom));
    const cut = axis.x(step ?? axis.last);
    for (const { lines, place } of runs.toReversed()) {
      for (const line of lines) this.svg.append(...pieces(line, place, axis, y, step === null ? null : cut));
    }
    const at = this.#hovered ?? step;
    const x = axis.x(at ?? axis.last);
    this.svg.append(svg("line", { class: "chart-here", x1: cut, x2: cut, y1: 0, y2: bottom }));
    if (this.#hovered !== null) {
      this.svg.append(svg("line", { class: "chart-hover", x1: x, x2: x, y1: TOP, y2: bottom }));
    }
    for (const { lines, place } of runs.toReversed()) {
      for (const line of lines) {
        const value = valueAt(line, at ?? Infinity);
        if (value === undefined) continue;
        this.svg.append(
          svg("circle", { class: classOf(line, place), cx: x, cy: y(value), r: line.strong ? 3.5 : 2.5 }),
        );
      }
    }
    if (!drawn.length) {
      this.svg.append(svg("text", { class: "chart-empty", x: axis.left, y: (TOP + bottom) / 2 }, "no step yet"));
    }
    this.#valuesAtTheRight(shown, at, y, end + 12, bottom);
    this.svg.setAttribute("aria-label", described(shown, at));
  }

  /**
   * Lines where something began; a label has its place right of its line, or left of it where the next one is near.
   *
   * @param {ChartMark[]} marks
   * @param {Axis} axis
   * @param {number} bottom
   */
  #marks(marks, axis, bottom) {
    const made = [];
    let taken = -Infinity;
    for (const [i, { step, label, by }] of marks.entries()) {
      const x = axis.x(step);
      made.push(svg("line", { class: `chart-mark chart-mark-${by}`, x1: x, x2: x, y1: 2, y2: bottom }));
      const width = LETTER * label.length + 10;
      const next = marks[i + 1] ? axis.x(marks[i + 1].step) : axis.right + HALF_PICTURE;
      const isRight = x + width < next && x > taken;
      const isLeft = !isRight && x - width > taken;
      if (!label || (!isRight && !isLeft)) continue;
      taken = isRight ? x + width : x;
      const anchor = isRight ? "start" : "end";
      const place = {
        class: `chart-mark-label chart-mark-${by}`,
        x: x + (isRight ? 5 : -5),
        y: 11,
        "text-anchor": anchor,
      };
      made.push(svg("text", place, label));
    }
    return made;
  }

  /**
   * Values at the end of the lines, or under the pointer, or at the moment looked back at: always in the same place, so
   * that none covers a line or a label.
   *
   * @param {ShownChart} shown
   * @param {number | null} at
   * @param {(value: number) => number} y
   * @param {number} left px
   * @param {number} bottom px
   */
  #valuesAtTheRight({ measure, hello, runs }, at, y, left, bottom) {
    const values = runs.flatMap(({ lines, place, name }) =>
      lines.map((line) => ({ line, place, name, value: valueAt(line, at ?? Infinity) })),
    );
    const known = values
      .filter(({ value }) => value !== undefined)
      .map((each) => ({ ...each, y: y(each.value ?? 0) }))
      .sort((a, b) => a.y - b.y || Number(b.line.strong) - Number(a.line.strong));
    for (let i = 1; i < known.length; i++) known[i].y = Math.max(known[i].y, known[i - 1].y + LINE_HEIGHT);
    for (let i = known.length - 1; i >= 0; i--) {
      const most = i === known.length - 1 ? bottom - 2 : known[i + 1].y - LINE_HEIGHT;
      known[i].y = Math.min(known[i].y, most);
    }
    const unit = measure.unit === "nat" ? " nat" : measure.unit === "of" ? ` of ${hello.experts}` : "";
    const made = known.map(({ line, place, name, value, y: top }) => {
      const label = element("span", {
        className: classOf(line, place),
        textContent: `${measure.text(value ?? 0)}${unit}${name ? `, ${name}` : ` ${line.label}`}`,
      });
      label.style.top = `${top}px`;
      label.style.left = `${left}px`;
      return label;
    });
    if (this.#hovered !== null) {
      const step = element("span", { className: "chart-at", textContent: `step ${count(this.#hovered)}` });
      step.style.left = `${left}px`;
      step.style.top = `${Math.max(8, (known[0]?.y ?? 24) - LINE_HEIGHT)}px`;
      made.push(step);
    }
    this.labels.replaceChildren(...made);
  }
}

/** @param {Drawn} line @param {Place} place */
const classOf = ({ strong }, place) =>
  `${strong ? "is-strong" : "is-other"}${place === "a" ? "" : ` is-twin is-${place}`}`;

/**
 * The interval of several seeds as an area, their mean as a thin line.
 *
 * @param {Band} band
 * @param {Place} place
 * @param {Axis} axis
 * @param {(value: number) => number} y
 */
function bandOf({ xs, mean, low, high }, place, axis, y) {
  const shown = xs.filter((step) => step <= axis.last).length;
  const x = xs.slice(0, shown).map((step) => axis.x(step));
  /** @param {number[]} values */
  const on = (values) => values.slice(0, shown).map(y);
  const area = [...x, ...x.toReversed()];
  const edge = [...on(high), ...on(low).toReversed()];
  const d = area.map((at, i) => `${i ? "L" : "M"}${at.toFixed(1)} ${edge[i].toFixed(1)}`).join("");
  return [
    svg("path", { class: `chart-band is-${place}`, d: d && `${d}Z` }),
    svg("path", { class: `chart-mean is-${place}`, d: pathOf(x, on(mean)) }),
  ];
}

/**
 * @param {Measure} measure
 * @param {[number, number]} range
 * @param {{ from: number, to: number, y: (value: number) => number, isLow: boolean }} plot
 */
function grid(measure, [low, high], { from, to, y, isLow }) {
  const parts = isLow ? 2 : 4;
  const made = [];
  for (let part = 0; part <= parts; part++) {
    const value = low + ((high - low) * part) / parts;
    made.push(svg("line", { class: "chart-grid", x1: from, x2: to, y1: y(value), y2: y(value) }));
    made.push(
      svg("text", { class: "chart-tick", x: from - 6, y: y(value) + 4, "text-anchor": "end" }, measure.tick(value)),
    );
  }
  return made;
}

/**
 * A line up to the moment looked back at, and what comes after it, faded.
 *
 * @param {Drawn} line
 * @param {Place} place
 * @param {Axis} axis
 * @param {(value: number) => number} y
 * @param {number | null} cut px of that moment
 */
function pieces(line, place, axis, y, cut) {
  const xs = line.xs.map((step) => axis.x(step));
  const ys = line.ys.map(y);
  const name = `chart-line ${classOf(line, place)}`;
  if (cut === null) return [svg("path", { class: name, d: pathOf(xs, ys) })];
  const first = xs.findIndex((x) => x > cut);
  const split = first < 0 ? xs.length : first;
  return [
    svg("path", {
      class: `${name} is-later`,
      d: pathOf(xs.slice(Math.max(0, split - 1)), ys.slice(Math.max(0, split - 1))),
    }),
    svg("path", { class: name, d: pathOf(xs.slice(0, split), ys.slice(0, split)) }),
  ];
}

/** @param {ShownChart} shown @param {number | null} at */
function described({ measure, runs, axis }, at) {
  const values = runs.flatMap(({ lines, place, name }) =>
    lines.toReversed().flatMap((line) => {
      const value = valueAt(line, at ?? Infinity);
      return value === undefined
        ? []
        : [`${name ? `${place.toUpperCase()}, ${name},` : line.label} ${measure.text(value)}`.trim()];
    }),
  );
  const step = `${measure.title} at step ${count(at ?? axis.last)}`;
  return values.length ? `${step}: ${values.join(", ")}` : `${measure.title}: no values yet`;
}
