// What the chart can show, one measure at a time: its lines, its range, and how a value reads.

import { measure, percent } from "../core/format.js";

/** @import { Token } from "../core/colours.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */

/**
 * @typedef {object} Line
 * @property {string[]} keys scalars whose mean is drawn
 * @property {string} label
 * @property {Token} colour
 * @property {boolean} strong
 *
 * @typedef {object} Measure
 * @property {string} name
 * @property {string} title
 * @property {number} window each point is the mean of so many steps before it; 0 for none
 * @property {(model: Model) => string} told what is drawn, with its window
 * @property {(hello: Hello) => [number, number] | null} range null where it follows the values
 * @property {(value: number, hello: Hello) => number} value a scalar as it is drawn
 * @property {(value: number) => string} text
 * @property {(value: number) => string} tick
 * @property {string} unit after the text of the last value, in the tab
 * @property {boolean} [needsTopology]
 * @property {(hello: Hello, layer: number) => Line[]} lines
 */

const WINDOW = 200;

/** @param {number} value */
const same = (value) => value;

/** Without the zero before the point: .009 @param {number} value */
const pointed = (value) => measure(value).replace(/^0\./, ".");

/** With a digit behind the point where there is one: a mean of counts is no count. @param {number} value */
export const tenths = (value) => String(Number(value.toFixed(1)));

/** One line a layer, the chosen one strong. @param {string} key @returns {Measure["lines"]} */
const ofLayers = (key) => (hello, layer) =>
  Array.from({ length: hello.layers }, (_, place) => ({
    keys: [`layer${place}/${key}`],
    label: `layer ${place + 1}`,
    colour: place === layer ? "ink" : "muted",
    strong: place === layer,
  }));

/** @type {Measure[]} */
const ALL = [
  {
    name: "cut",
    needsTopology: true,
    title: "Links cut",
    window: 0,
    told: () => "links whose σ(A) lies below .1",
    range: () => [0, 1],
    value: same,
    text: percent,
    tick: percent,
    unit: "",
    lines: ofLayers("alpha_sparsity"),
  },
  {
    name: "accuracy",
    title: "Accuracy",
    window: WINDOW,
    told: ({ hello }) => {
      const { eval_every: every, eval_batch: images } = hello?.config.train ?? { eval_every: 0, eval_batch: 0 };
      const tests = every ? Math.max(1, Math.round(WINDOW / every)) : 0;
      const over = tests ? `: ${tests} tests, ${(tests * images).toLocaleString("en-US")} images` : "";
      return `mean of all tasks over the last ${WINDOW} steps${over}`;
    },
    range: () => [0, 1],
    value: same,
    text: percent,
    tick: percent,
    unit: "",
    lines: ({ tasks }) => [
      { keys: tasks.map(({ name }) => `test_accuracy/${name}`), label: "with ID", colour: "ink", strong: true },
      {
        keys: tasks.map(({ name }) => `test_accuracy_blind/${name}`),
        label: "without ID",
        colour: "muted",
        strong: false,
      },
    ],
  },
  {
    name: "conflict",
    needsTopology: true,
    title: "Conflict",
    window: WINDOW,
    told: () => `clashing gradients, mean of the last ${WINDOW} steps`,
    range: () => null,
    value: same,
    text: pointed,
    tick: pointed,
    unit: "",
    lines: ofLayers("gradient_interference"),
  },
  {
    name: "busy",
    title: "Busy experts",
    window: WINDOW,
    told: () => `experts with 1 % of the patches or more, mean of the last ${WINDOW} steps`,
    range: ({ experts }) => [0, experts],
    value: (idle, { experts }) => experts - idle,
    text: tenths,
    tick: (value) => String(Math.round(value)),
    unit: "of",
    lines: ofLayers("idle_experts"),
  },
  {
    name: "loss",
    title: "Loss",
    window: WINDOW,
    told: () => `cross entropy of the labels, mean of the last ${WINDOW} steps`,
    range: () => null,
    value: same,
    text: (value) => value.toFixed(2),
    tick: (value) => value.toFixed(1),
    unit: "nat",
    lines: () => [{ keys: ["task_loss"], label: "", colour: "ink", strong: true }],
  },
];

/** What is drawn, with its window. @param {Model} model @param {Measure} found */
export const toldOf = (model, found) =>
  model.isRecorded && found.window ? "as recorded: the mean of the steps since the picture before" : found.told(model);

/** The measures that a model has; until it says which, those that one of its kind has. @param {Model} model */
export const measuresOf = (model) =>
  ALL.filter((found) =>
    model.scalarNames.size ? linesOf(model, found, 0).length > 0 : model.hasTopology || !found.needsTopology,
  );

/**
 * A measure's lines, without those whose scalars the model has not.
 *
 * @param {Model} model
 * @param {Measure} found
 * @param {number} layer
 * @returns {Line[]}
 */
export function linesOf({ hello, scalarNames }, found, layer) {
  if (!hello) return [];
  return found
    .lines(hello, layer)
    .map((line) => ({ ...line, keys: line.keys.filter((key) => scalarNames.has(key)) }))
    .filter(({ keys }) => keys.length > 0);
}

/**
 * @typedef {Line & { xs: number[], ys: number[] }} Drawn
 *
 * @param {Model} model
 * @param {Measure} found
 * @param {number} layer
 * @returns {Drawn[]} strong lines last, so that they lie above
 */
export function drawnOf(model, found, layer) {
  const { hello, store, isRecorded } = model;
  if (!hello) return [];
  const window = isRecorded ? 0 : found.window; // its points are means already
  return linesOf(model, found, layer)
    .map((line) => {
      const series = line.keys.map((key) => store.get(key).trailing(window));
      const length = Math.min(...series.map(({ xs }) => xs.length));
      const ys = Array.from({ length }, (_, i) =>
        found.value(series.reduce((sum, each) => sum + each.ys[i], 0) / series.length, hello),
      );
      return { ...line, xs: series[0].xs.slice(0, length), ys };
    })
    .filter(({ xs }) => xs.length > 0)
    .sort((a, b) => Number(a.strong) - Number(b.strong));
}

/**
 * What the chart shows of a measure at a step, on its strong line; undefined where it has no value.
 *
 * @param {Model} model
 * @param {string} name
 * @param {number} layer
 * @param {number} step
 */
export function shownAt(model, name, layer, step) {
  const found = ALL.find((each) => each.name === name);
  const line = found && drawnOf(model, found, layer).at(-1);
  return line && valueAt(line, step);
}

/** The value of a line at or before a step. @param {{ xs: number[], ys: number[] }} line @param {number} step */
export function valueAt({ xs, ys }, step) {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low ? ys[low - 1] : undefined;
}

/** From 0 to a round number above all values. @param {{ ys: number[] }[]} drawn @returns {[number, number]} */
export function niceRange(drawn) {
  const most = Math.max(1e-6, ...drawn.flatMap(({ ys }) => ys));
  const power = 10 ** Math.floor(Math.log10(most));
  const high = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((factor) => factor * power).find((round) => round >= most);
  return [0, high ?? 10 * power];
}
