// Plotly's layout of a line chart: axes, marks with their labels, names and values at the ends of the lines.

import { colours, ofTask } from "../core/colours.js";
import { count } from "../core/format.js";

/** @import { Model } from "../core/model.js" */
/** @import { Chart, Line } from "./chart_lines.js" */
/** @import { Mark } from "./marks.js" */

/**
 * @typedef {object} Points of a line
 * @property {number[]} xs
 * @property {number[]} ys as drawn
 * @property {number[]} raw as measured
 * @property {number | undefined} end the last value, or the one at the moment looked back at
 * @property {(number | undefined)[]} besides those of the scalars beside it
 * @typedef {Line & Points} DrawnLine
 *
 * @typedef {object} Moment
 * @property {number} layer
 * @property {number | null} untilStep the step looked back at
 * @property {Mark[]} marks
 *
 * @typedef {{ step: number, label: string, by: Mark["by"] | "here" }} Labelled
 */

const MARGIN = { l: 34, r: 84, t: 14, b: 16 };
const LABEL_HEIGHT = 13;
const LETTER_WIDTH = 5.4;
const TICK_WIDTH = 44;
const FAMILY = '"Inter", system-ui, sans-serif';
const MANY_MARKS = 8; // more of them are drawn faintly, so that the lines stay readable

/** Where there is no room for all labels of marks, the higher ones win. */
const RANKS = { here: 3, person: 2, phase: 1, controller: 0 };
const DASHES = { person: "solid", controller: "1px,3px", phase: "4px,3px" };

/** An annotation in fractions of the plot. */
const ON_PAPER = { xref: "paper", yref: "paper", showarrow: false };

/** @param {Line["colour"]} colour */
export const lineColour = (colour) => (typeof colour === "number" ? ofTask(colours.tasks, colour) : colours[colour]);

/** @param {Line["colour"]} colour */
const textColour = (colour) => (typeof colour === "number" ? ofTask(colours.taskTexts, colour) : colours[colour]);

/**
 * Room around the lines; a chart with long labels at its ends needs more on the right.
 *
 * @param {Chart} chart
 * @param {Model} model
 */
export const marginOf = (chart, model) => ({ ...MARGIN, r: chart.labelWidth ? chart.labelWidth(model) : MARGIN.r });

/**
 * @param {{ width: number, height: number }} size
 * @param {Chart} chart
 * @param {string} view
 * @param {DrawnLine[]} drawn
 * @param {Model} model
 * @param {Moment} moment
 */
export function layoutOf({ width, height }, chart, view, drawn, model, moment) {
  const lastStep = Math.max(10, model.store.lastStep);
  const fixed = chart.range ? chart.range(view) : null;
  const range = fixed || niceRange(drawn);
  const margin = marginOf(chart, model);
  const plot = { width: width - margin.l - margin.r, height: height - margin.t - margin.b, right: margin.r };
  const { muted, line, ink, panel } = colours;
  const axis = {
    fixedrange: true,
    zeroline: false,
    showline: false,
    tickfont: { size: 10, color: muted },
    gridcolor: line,
    ticklen: 0,
  };
  const { shapes, labels } = marked(moment, lastStep, plot);
  const annotations = [...labels, ...endLabels(drawn, range, plot.height)];
  if (!drawn.length) annotations.push(emptyNote(model, chart, view));
  return {
    width,
    height,
    margin: { ...margin, pad: 4 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: FAMILY, size: 10, color: muted },
    showlegend: false,
    dragmode: false,
    hovermode: "x",
    hoverlabel: { font: { size: 11, color: ink, family: FAMILY }, bgcolor: panel, bordercolor: line },
    xaxis: {
      ...axis,
      range: [0, lastStep],
      nticks: Math.max(2, Math.floor(plot.width / TICK_WIDTH)),
      showgrid: false,
      tickformat: lastStep >= 10000 ? "~s" : ",d",
      hoverformat: ",d",
    },
    yaxis: { ...axis, range, nticks: 4, tickformat: chart.percent ? ".0%" : fixed ? ".1f" : "~g" },
    shapes,
    annotations,
  };
}

/**
 * The marks as vertical lines with labels, and what lies after the moment looked back at, faded.
 *
 * @param {Moment} moment
 * @param {number} lastStep
 * @param {{ width: number, right: number }} plot
 */
function marked({ layer, untilStep, marks }, lastStep, plot) {
  const shown = marks.filter((mark) => mark.layer === null || mark.layer === layer);
  const opacity = shown.length > MANY_MARKS ? 0.35 : 1;
  /** @type {object[]} */
  const shapes = shown.map(({ step, by }) => {
    const color = by === "person" ? colours.change : colours.muted;
    return { ...vertical(step), line: { color, width: 1, dash: DASHES[by] }, opacity };
  });
  if (untilStep === null) return { shapes, labels: markLabels(shown, lastStep, plot) };
  const { accent, panel } = colours;
  shapes.push({
    ...vertical(untilStep),
    type: "rect",
    x1: lastStep,
    fillcolor: panel,
    opacity: 0.65,
    line: { width: 0 },
  });
  shapes.push({ ...vertical(untilStep), line: { color: accent, width: 3, dash: "solid" } });
  /** @type {Labelled} */
  const here = { step: untilStep, label: `step ${count(untilStep)}`, by: "here" };
  return { shapes, labels: markLabels([...shown, here], lastStep, plot) };
}

/** @param {number} step */
const vertical = (step) => ({ type: "line", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1 });

/**
 * Labels on top of the marks; the newest and the changes by people win where there is no room for all.
 *
 * @param {Labelled[]} marks
 * @param {number} lastStep
 * @param {{ width: number, right: number }} plot
 * @returns {object[]}
 */
function markLabels(marks, lastStep, plot) {
  /** @type {[number, number][]} */
  const taken = [];
  const labels = [];
  const byRank = marks.map((mark, i) => ({ ...mark, i })).sort((a, b) => RANKS[b.by] - RANKS[a.by] || b.i - a.i);
  for (const { step, label, by } of byRank) {
    const width = LETTER_WIDTH * label.length + 6;
    const at = (step / lastStep) * plot.width;
    const places = [Math.max(0, Math.min(at - 2, plot.width + plot.right - width)), Math.max(0, at - width + 2)];
    const start = places.find((place) => !taken.some(([from, to]) => place < to && place + width > from));
    if (start === undefined) continue;
    taken.push([start, start + width]);
    const color = by === "here" ? colours.accent : by === "person" ? colours.change : colours.muted;
    labels.push({
      ...ON_PAPER,
      x: start / plot.width,
      y: 1,
      xanchor: "left",
      yanchor: "bottom",
      text: label,
      font: { size: 10, color },
      borderpad: 0,
    });
  }
  return labels;
}

/**
 * Name and value at the end of each line, or at the moment looked back at, moved apart where they would overlap.
 *
 * @param {DrawnLine[]} drawn
 * @param {[number, number]} range
 * @param {number} plotHeight
 * @returns {object[]}
 */
function endLabels(drawn, range, plotHeight) {
  const labels = drawn
    .filter((line) => !line.unlabelled && line.end !== undefined)
    .map((line) => {
      const share = ((line.end || 0) / (line.scale || 1) - range[0]) / (range[1] - range[0]);
      return { line, y: (1 - Math.max(0, Math.min(1, share))) * plotHeight };
    })
    .sort((a, b) => a.y - b.y);
  for (let i = 0; i < labels.length; i++) {
    const least = i ? labels[i - 1].y + LABEL_HEIGHT : 5;
    labels[i].y = Math.max(labels[i].y, least);
  }
  for (let i = labels.length - 1; i >= 0; i--) {
    const most = i === labels.length - 1 ? plotHeight : labels[i + 1].y - LABEL_HEIGHT;
    labels[i].y = Math.min(labels[i].y, most);
  }
  return labels.map(({ line, y }) => ({
    ...ON_PAPER,
    x: 1,
    y: 1 - y / plotHeight,
    xanchor: "left",
    yanchor: "middle",
    xshift: 4,
    align: "left",
    borderpad: 0,
    text: `<b>${line.label}</b> ${valueText(line)}`,
    font: { size: 10, color: textColour(line.colour) },
  }));
}

/** @param {DrawnLine} line */
function valueText({ end, besides, text }) {
  if (end === undefined) return "";
  if (!besides.length) return text(end);
  return [end, ...besides]
    .map((share) => (share !== undefined && Number.isFinite(share) ? Math.round(100 * share) : "?"))
    .join(" · ");
}

/**
 * @param {Model} model
 * @param {Chart} chart
 * @param {string} view
 */
function emptyNote(model, chart, view) {
  const absent = (chart.absent && chart.absent(view)) || "";
  const text = model.store.lastStep > 0 && absent ? absent : "no values yet";
  return { ...ON_PAPER, x: 0.5, y: 0.5, text, font: { size: 10, color: colours.muted } };
}

/**
 * From 0, or from what lies below, to a little above all values.
 *
 * @param {DrawnLine[]} drawn
 * @returns {[number, number]}
 */
function niceRange(drawn) {
  let [low, high] = [0, 1];
  for (const line of drawn) {
    for (const y of line.ys) {
      if (y < low) low = y;
      if (y > high) high = y;
    }
  }
  const room = (high - low) * 0.06;
  return [low < 0 ? low - room : 0, high + room];
}
