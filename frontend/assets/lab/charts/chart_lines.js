// The charts: which scalars each draws, in which colour, and how their last value reads.

import { measure, percent, shortName, cell as share } from "../core/format.js";

/** @import { Hello, Task } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Token } from "../core/colours.js" */

/**
 * @typedef {object} Line left out where the run has no such scalar
 * @property {string} key a scalar's name
 * @property {string} label
 * @property {Token | number} colour a token, or a task's number
 * @property {(value: number) => string} text
 * @property {(value: number) => string} [hover] its text under the pointer, where that differs
 * @property {string} [dash]
 * @property {boolean} [faint]
 * @property {boolean} [unlabelled]
 * @property {number} [scale] what it is divided by before it is drawn
 * @property {string[]} [beside] scalars whose values stand beside its own
 *
 * @typedef {Model & { hello: Hello }} KnownModel a model that said hello
 *
 * @typedef {object} Chart
 * @property {string} name
 * @property {string} title
 * @property {string} [caption] what it is about
 * @property {{ label: string, choices: Record<string, string> }} [views] what it can show, each with its meaning
 * @property {{ scalar: string, text: string, hint: string }[]} [keys] styles of line, where the run has the scalar
 * @property {(model: Model) => boolean} isOf whether the model has what the chart is about
 * @property {(model: KnownModel, layer: number, view: string) => Line[]} lines
 * @property {(view: string) => [number, number] | null} [range] null where it follows the values
 * @property {boolean} [percent]
 * @property {(model: Model) => number} [labelWidth] px right of the lines
 * @property {(view: string) => string | null} [absent] why there is no line
 */

/** @param {number} v */
const plain = (v) => measure(v);
/** @param {number} v */
const inNats = (v) => `${measure(v)} nat`;

const DECEPTIVE = "test_accuracy_deceptive/";

/** They differ by powers of ten, so the chart shows one kind at a time. @type {Record<string, Line[]>} */
const LOSSES = {
  task: [{ key: "task_loss", label: "task", colour: "ink", text: inNats }],
  penalties: [
    { key: "conflict_penalty", label: "conflict", colour: "ink", text: plain },
    { key: "l1_penalty", label: "L1", colour: "muted", text: plain },
    { key: "binarize_penalty", label: "binarisation", colour: "accent", text: plain },
    { key: "load_balance_penalty", label: "balance", colour: "ink", text: plain },
    { key: "entropy_penalty", label: "entropy", colour: "ink", text: plain },
  ],
  total: [{ key: "loss", label: "total", colour: "ink", text: inNats }],
};

/** @type {Record<string, Line[]>} */
const CONFLICTS = {
  clash: [
    { key: "gradient_interference", label: "conflict", colour: "ink", text: share },
    { key: "rank_overlap", label: "overlap", colour: "accent", text: share },
  ],
  chance: [{ key: "cosine_null", label: "cos²", colour: "ink", text: (v) => `${plain(v)} × chance` }],
};

/** Do the tasks go separate ways? @type {Line[]} */
const PARTING = [
  { key: "isolation", label: "isolation", colour: "ink", text: share },
  { key: "specialization", label: "special", colour: "accent", text: share },
  { key: "emergent_clustering", label: "clusters", colour: "high", text: share },
];

/** @type {Chart[]} */
export const CHARTS = [
  {
    name: "losses",
    title: "Losses",
    views: {
      label: "Loss shown",
      choices: {
        task: "Cross entropy of the labels",
        penalties: "What is added to it, before its weight",
        total: "What is minimised",
      },
    },
    isOf: () => true,
    lines: (_, __, view) => LOSSES[view],
    absent: (view) => (view === "penalties" ? "this model has no penalties" : null),
  },
  {
    name: "accuracy",
    title: "Test accuracy",
    keys: [
      { scalar: "test_accuracy", text: "ID", hint: "The router is given the task ID" },
      { scalar: "test_accuracy_blind", text: "blind", hint: "The task ID is hidden from the router" },
      { scalar: "test_accuracy_deceptive", text: "wrong", hint: "The router is given the ID of another task" },
    ],
    isOf: () => true,
    range: () => [0, 1],
    percent: true,
    labelWidth: (model) => ([...model.scalarNames].some((name) => name.startsWith(DECEPTIVE)) ? 108 : 84),
    lines: (model) => model.hello.tasks.flatMap((task, q) => taskLines(model, task, q)),
  },
  {
    name: "structure",
    title: "Structure",
    caption: "how decided σ(A) is",
    isOf: (model) => model.hasTopology,
    range: () => [0, 1],
    lines: (model, layer) =>
      ofLayers(model, layer, [
        { key: "alpha_sparsity", label: "sparsity", colour: "ink", text: percent },
        {
          key: "structural_entropy",
          label: "entropy",
          colour: "accent",
          text: (v) => `${share(v)} bit`,
          hover: (v) => `${share(v)} bit an entry, ${plain(v * model.hello.experts * model.hello.partitions)} in all`,
        },
      ]),
  },
  {
    name: "oligarchy",
    title: "Oligarchy",
    caption: "do few hold their own?",
    isOf: (model) => model.hasTopology,
    range: () => [0, 1],
    lines: (model, layer) =>
      ofLayers(model, layer, [
        { key: "diagonal_gini", label: "Gini", colour: "ink", text: share },
        { key: "diagonals_above_080", label: "above .8", colour: "accent", ...ofExperts(model) },
      ]),
    absent: () => "no diagonal, as P is not E",
  },
  {
    name: "load",
    title: "Experts",
    views: {
      label: "Measure of the experts",
      choices: {
        load: "Is the work shared evenly?",
        tasks: "Has each task its own experts? Clusters: do MNIST and kana share more than either with Fashion?",
      },
    },
    isOf: (model) => model.hasRouting,
    range: (view) => (view === "load" ? [0, 1] : null),
    lines: (model, layer, view) => ofLayers(model, layer, view === "load" ? loadLines(model) : PARTING),
  },
  {
    name: "conflict",
    title: "Conflict",
    views: {
      label: "Measure of the conflict",
      choices: {
        clash: "Do the experts' gradients clash?",
        chance: "Squared cosines of the experts' gradients over what chance alone would give, which is 1",
      },
    },
    isOf: (model) => model.hasTopology,
    range: (view) => (view === "clash" ? [0, 1] : null),
    lines: (model, layer, view) => ofLayers(model, layer, CONFLICTS[view]),
    absent: (view) => (view === "chance" ? "not measured in this run" : null),
  },
];

/**
 * @param {KnownModel} model
 * @returns {Line[]}
 */
const loadLines = (model) => [
  { key: "load_gini", label: "Gini", colour: "ink", text: share },
  { key: "idle_experts", label: "idle", colour: "accent", ...ofExperts(model) },
];

/** A count of experts, drawn as a share of them. @param {KnownModel} model */
const ofExperts = ({ hello: { experts } }) => ({
  scale: experts,
  /** @param {number} v */
  text: (v) => `${Math.round(v)} of ${experts}`,
});

/**
 * One line with the task ID, one without (dashed), one with wrong IDs (dotted).
 *
 * @param {Model} model
 * @param {Task} task
 * @param {number} q
 * @returns {Line[]}
 */
function taskLines(model, task, q) {
  const name = shortName(task.label);
  const common = { colour: q, text: percent };
  const others = [
    { key: `test_accuracy_blind/${task.name}`, label: `${name} blind`, dash: "4px,2px" },
    { key: `${DECEPTIVE}${task.name}`, label: `${name} wrong ID`, dash: "1px,2px" },
  ].filter((line) => model.scalarNames.has(line.key));
  return [
    { ...common, key: `test_accuracy/${task.name}`, label: name, beside: others.map((line) => line.key) },
    ...others.map((line) => ({ ...common, ...line, unlabelled: true })),
  ];
}

/**
 * The chosen layer's lines in full, the other layers' faint behind them.
 *
 * @param {KnownModel} model
 * @param {number} chosen
 * @param {Line[]} measures
 * @returns {Line[]}
 */
function ofLayers({ hello }, chosen, measures) {
  const others = Array.from({ length: hello.layers }, (_, layer) => layer).filter((layer) => layer !== chosen);
  return [
    ...others.flatMap((layer) =>
      measures.map((line) => ({ ...line, key: `layer${layer}/${line.key}`, faint: true, unlabelled: true })),
    ),
    ...measures.map((line) => ({ ...line, key: `layer${chosen}/${line.key}` })),
  ];
}
