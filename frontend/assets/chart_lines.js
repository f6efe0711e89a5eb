"use strict";
// Which scalars each chart draws, in which colour, and how their last value reads.
(function (lab) {
  const share = (value) => lab.format.cell(value);

  const plain = (value) => lab.format.measure(value);
  const inNats = (value) => `${lab.format.measure(value)} nat`;

  /** The losses differ by powers of ten, so the chart shows one kind at a time. */
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

  /**
   * What each chart draws. `lines(model, layer)` gives [{key, label, text(value), hover(value), colour, dash, faint,
   * scale}]: `key` a scalar's name, `scale` what it is divided by before it is drawn, `hover` its text under the pointer
   * where that is not `text`; lines without a scalar are left out.
   * `isOf(model)`: whether the model has what the chart is about.
   */
  const CHARTS = {
    losses: {
      isOf: () => true,
      lines: (model) => LOSSES[model.chartViews.losses],
      absent: (model) => (model.chartViews.losses === "penalties" ? "this model has no penalties" : null),
    },
    accuracy: {
      isOf: () => true,
      range: () => [0, 1],
      percent: true,
      labelWidth: (model) => (hasAny(model, DECEPTIVE) ? 108 : 84),
      lines: (model) => model.hello.tasks.flatMap((task, q) => taskLines(model, task, q)),
    },
    structure: {
      isOf: (model) => model.hasTopology,
      range: () => [0, 1],
      lines: (model, layer) =>
        ofLayers(model, layer, [
          { key: "alpha_sparsity", label: "sparsity", colour: "ink", text: (v) => lab.format.percent(v) },
          {
            key: "structural_entropy",
            label: "entropy",
            colour: "accent",
            text: (v) => `${share(v)} bit`,
            hover: (v) => `${share(v)} bit an entry, ${plain(v * model.hello.experts * model.hello.partitions)} in all`,
          },
        ]),
    },
    oligarchy: {
      isOf: (model) => model.hasTopology,
      range: () => [0, 1],
      lines: (model, layer) =>
        ofLayers(model, layer, [
          { key: "diagonal_gini", label: "Gini", colour: "ink", text: share },
          {
            key: "diagonals_above_080",
            label: "above .8",
            colour: "accent",
            scale: model.hello.experts,
            text: (v) => `${Math.round(v)} of ${model.hello.experts}`,
          },
        ]),
      absent: () => "no diagonal, as P is not E",
    },
    load: {
      isOf: (model) => model.hasRouting,
      range: (model) => (model.chartViews.load === "load" ? [0, 1] : null),
      lines: (model, layer) => ofLayers(model, layer, model.chartViews.load === "load" ? loadLines(model) : PARTING),
    },
    conflict: {
      isOf: (model) => model.hasTopology,
      range: (model) => (model.chartViews.conflict === "clash" ? [0, 1] : null),
      lines: (model, layer) => ofLayers(model, layer, CONFLICTS[model.chartViews.conflict]),
      absent: (model) => (model.chartViews.conflict === "chance" ? "not measured in this run" : null),
    },
  };

  const DECEPTIVE = "test_accuracy_deceptive/";
  const hasAny = (model, start) => [...model.scalarNames].some((name) => name.startsWith(start));

  const CONFLICTS = {
    clash: [
      { key: "gradient_interference", label: "conflict", colour: "ink", text: share },
      { key: "rank_overlap", label: "overlap", colour: "accent", text: share },
    ],
    chance: [{ key: "cosine_null", label: "cos²", colour: "ink", text: (v) => `${plain(v)} × chance` }],
  };

  /** Do the tasks go separate ways? */
  const PARTING = [
    { key: "isolation", label: "isolation", colour: "ink", text: share },
    { key: "specialization", label: "special", colour: "accent", text: share },
    { key: "emergent_clustering", label: "clusters", colour: "high", text: share },
  ];

  const loadLines = ({ hello }) => [
    { key: "load_gini", label: "Gini", colour: "ink", text: share },
    { key: "idle_experts", label: "idle", colour: "accent", scale: hello.experts, text: (v) => `${Math.round(v)} of ${hello.experts}` },
  ];

  /** One line with the task ID, one without (dashed), one with wrong IDs (dotted). */
  function taskLines(model, task, q) {
    const name = lab.matrices.shortName(task.label);
    const common = { colour: `task${q % 3}`, text: (v) => lab.format.percent(v) };
    const others = [
      { key: `test_accuracy_blind/${task.name}`, label: `${name} blind`, dash: "4px,2px" },
      { key: `${DECEPTIVE}${task.name}`, label: `${name} wrong ID`, dash: "1px,2px" },
    ].filter((line) => model.scalarNames.has(line.key));
    return [
      { ...common, key: `test_accuracy/${task.name}`, label: name, beside: others.map((line) => line.key) },
      ...others.map((line) => ({ ...common, ...line, unlabelled: true })),
    ];
  }

  /** The chosen layer's lines in full, the other layers' faint behind them. */
  function ofLayers(model, chosen, measures) {
    const lines = [];
    for (let l = 0; l < model.hello.layers; l++) {
      if (l !== chosen) for (const m of measures) lines.push({ ...m, key: `layer${l}/${m.key}`, faint: true, unlabelled: true });
    }
    for (const m of measures) lines.push({ ...m, key: `layer${chosen}/${m.key}` });
    return lines;
  }

  lab.chartLines = CHARTS;
})((window.lab = window.lab || {}));
