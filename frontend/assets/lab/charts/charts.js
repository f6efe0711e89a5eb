// Line charts over the same steps. Plotly redraws one chart a tick, at most five a second in total.

import { element } from "../core/element.js";
import { CHARTS } from "./chart_lines.js";
import { layoutOf, lineColour, marginOf } from "./chart_layout.js";

/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Store } from "../core/store.js" */
/** @import { Chart, KnownModel, Line } from "./chart_lines.js" */
/** @import { DrawnLine, Moment } from "./chart_layout.js" */

const TICK_MS = 200;
const HIDDEN_TICK_MS = 5000; // a chart that is scrolled away
const BUCKETS = 160;
const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };

/**
 * One chart on the page.
 *
 * @typedef {object} Shown
 * @property {Chart} chart
 * @property {HTMLElement} figure
 * @property {HTMLElement} box what Plotly draws in
 * @property {HTMLButtonElement[]} choices
 * @property {{ scalar: string, sample: HTMLElement }[]} keys
 * @property {string} view which of the things it can show
 * @property {boolean} isDirty
 * @property {boolean} isVisible
 * @property {number} drawnAt
 */

export class Charts {
  redraws = 0;
  #next = 0;
  #lastTick = 0;
  #seen = new IntersectionObserver((entries) => this.#see(entries));
  #sized = new ResizeObserver(() => this.invalidate());
  #host;
  #model;
  #moment;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {() => Moment} moment what is looked at
   * @param {(step: number) => void} onPick is called when a moment is clicked
   */
  constructor(parts, model, moment, onPick) {
    this.#model = model;
    this.#moment = moment;
    this.#host = parts.find("charts");
    this.all = CHARTS.map((chart) => this.#build(chart, onPick));
    this.#host.append(...this.all.map(({ figure }) => figure));
  }

  close() {
    this.#seen.disconnect();
    this.#sized.disconnect();
  }

  /**
   * @param {Chart} chart
   * @param {(step: number) => void} onPick
   * @returns {Shown}
   */
  #build(chart, onPick) {
    const box = element("div", { className: "chart-plot" });
    const keys = (chart.keys || []).map(({ scalar, text, hint }) => ({
      scalar,
      sample: element(
        "span",
        { className: "line-key", title: hint },
        element("span", { className: `line-sample line-${text}` }),
        text,
      ),
    }));
    const choices = Object.entries(chart.views?.choices || {}).map(([view, meaning]) =>
      element("button", { type: "button", textContent: view, title: meaning, dataset: { view } }),
    );
    const head = element("figcaption", {}, element("b", { textContent: chart.title }));
    if (choices.length) {
      const group = element("div", { className: "segments", role: "group" }, ...choices);
      group.setAttribute("aria-label", chart.views?.label || "");
      head.append(group);
    } else if (keys.length) {
      head.append(element("div", { className: "line-keys" }, ...keys.map(({ sample }) => sample)));
    } else head.append(element("span", { textContent: chart.caption || "" }));
    const figure = element("figure", { className: "chart", dataset: { chart: chart.name } }, head, box);
    /** @type {Shown} */
    const shown = {
      chart,
      figure,
      box,
      choices,
      keys,
      view: "",
      isDirty: true,
      isVisible: true,
      drawnAt: -HIDDEN_TICK_MS,
    };
    this.#choose(shown, choices.length ? choices[0].dataset.view || "" : "");
    for (const button of choices) {
      button.addEventListener("click", () => {
        this.#choose(shown, button.dataset.view || "");
        this.#lastTick = 0;
        this.#draw(shown);
      });
    }
    box.setAttribute("role", "img");
    box.addEventListener("click", (event) => this.#pick(shown, event, onPick));
    this.#seen.observe(box);
    this.#sized.observe(box);
    return shown;
  }

  /**
   * Show another of the things a chart can show.
   *
   * @param {Shown} shown
   * @param {string} view
   */
  #choose(shown, view) {
    shown.view = view;
    for (const button of shown.choices) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #see(entries) {
    for (const { target, isIntersecting } of entries) {
      const shown = this.all.find(({ box }) => box === target);
      if (shown) shown.isVisible = isIntersecting;
    }
  }

  /** Leave out the charts, and the keys of lines, that this model has no numbers for. */
  setUp() {
    const scalars = [...this.#model.scalarNames];
    for (const { chart, figure, keys } of this.all) {
      figure.hidden = !chart.isOf(this.#model);
      for (const { scalar, sample } of keys) {
        sample.hidden = scalars.length > 0 && !scalars.some((name) => name.startsWith(`${scalar}/`));
      }
    }
    this.#host.dataset.count = String(this.all.filter(({ figure }) => !figure.hidden).length);
    this.invalidate();
  }

  invalidate() {
    for (const shown of this.all) shown.isDirty = true;
  }

  /** Redraw at most one chart, if its turn has come. Called from the drawing loop. @param {number} now */
  tick(now) {
    if (now - this.#lastTick < TICK_MS || !window.Plotly) return;
    for (let i = 0; i < this.all.length; i++) {
      const place = (this.#next + i) % this.all.length;
      const shown = this.all[place];
      const waits = !shown.isVisible && now - shown.drawnAt < HIDDEN_TICK_MS;
      if (!shown.isDirty || waits || !shown.chart.isOf(this.#model)) continue;
      this.#lastTick = now;
      this.#next = (place + 1) % this.all.length;
      shown.isDirty = false;
      if (this.#draw(shown)) shown.drawnAt = now;
      return;
    }
  }

  /** Whether there was anything to draw. @param {Shown} shown */
  #draw({ chart, box, view }) {
    if (!window.Plotly) return false;
    const model = this.#model;
    const moment = this.#moment();
    const { layer, untilStep } = moment;
    const lines = isKnown(model)
      ? chart.lines(model, layer, view).filter((line) => model.scalarNames.has(line.key))
      : [];
    const drawn = lines.map((line) => pointsOf(model.store, line, untilStep)).filter((line) => line.xs.length);
    const traces = drawn.map((line) => ({
      type: "scatter",
      mode: "lines",
      x: line.xs,
      y: line.ys,
      name: line.label,
      opacity: line.faint ? 0.3 : 1,
      hoverinfo: line.faint ? "skip" : "all",
      hovertemplate: `${line.label} %{customdata}<extra></extra>`,
      customdata: line.raw.map(line.hover || line.text),
      line: { color: lineColour(line.colour), width: line.faint ? 1 : 1.6, dash: line.dash || "solid" },
    }));
    window.Plotly.react(box, traces, layoutOf(box.getBoundingClientRect(), chart, view, drawn, model, moment), CONFIG);
    this.redraws += 1;
    const ends = drawn.flatMap(({ faint, end, label, text }) =>
      faint || end === undefined ? [] : [`${label} ${text(end)}`],
    );
    const step = untilStep === null ? Math.max(10, model.store.lastStep) : untilStep;
    box.setAttribute("aria-label", ends.length ? `At step ${step}: ${ends.join(", ")}` : "No values yet");
    return drawn.length > 0;
  }

  /**
   * @param {Shown} shown
   * @param {MouseEvent} event
   * @param {(step: number) => void} onPick
   */
  #pick({ chart, box }, event, onPick) {
    const { lastStep } = this.#model.store;
    const { left, width } = box.getBoundingClientRect();
    const margin = marginOf(chart, this.#model);
    const at = (event.clientX - left - margin.l) / (width - margin.l - margin.r);
    if (at >= 0 && at <= 1 && lastStep > 0) onPick(Math.round(at * Math.max(10, lastStep)));
  }
}

/**
 * @param {Model} model
 * @returns {model is KnownModel}
 */
const isKnown = (model) => model.hello !== null;

/**
 * A line's points, and its value at the moment looked back at, or its last.
 *
 * @param {Store} store
 * @param {Line} line
 * @param {number | null} untilStep
 * @returns {DrawnLine}
 */
function pointsOf(store, line, untilStep) {
  const series = store.get(line.key);
  const { xs, ys } = series.means(BUCKETS, Infinity);
  const { scale } = line;
  const end = untilStep === null ? ys[ys.length - 1] : series.at(untilStep);
  const besides = (line.beside || []).map((key) =>
    untilStep === null ? store.get(key).last : store.get(key).at(untilStep),
  );
  return { ...line, xs, ys: scale ? ys.map((y) => y / scale) : ys, raw: ys, end, besides };
}
