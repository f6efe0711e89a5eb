"use strict";
// Which scalars each chart draws, in which colour, and how their last value reads.
(function (lab) {
  const share = (value) => lab.format.cell(value);

  const plain = (value) => lab.format.measure(value);
  const inNats = (value) => `${lab.format.measure(value)} nat`;

  /** The losses differ by powers of ten, so the chart shows one kind at a time. */
  const LOSS_VIEWS = {
    task: [{ key: "task_loss", label: "task", colour: "ink", text: inNats }],
    penalties: [
      { key: "conflict_penalty", label: "conflict", colour: "ink", text: plain },
      { key: "l1_penalty", label: "L1", colour: "muted", text: plain },
      { key: "binarize_penalty", label: "binarisation", colour: "accent", text: plain },
    ],
    total: [{ key: "loss", label: "total", colour: "ink", text: inNats }],
  };

  /**
   * What each chart draws. `lines(model, layer)` gives [{key, label, text(value), colour, dash, faint, scale}]:
   * `key` a scalar's name, `scale` what it is divided by before it is drawn.
   */
  const CHARTS = {
    losses: {
      lines: (model) => LOSS_VIEWS[model.lossView],
    },
    accuracy: {
      range: [0, 1],
      percent: true,
      lines: (model) => model.hello.tasks.flatMap((task, q) => taskLines(task, q)),
    },
    structure: {
      range: [0, 1],
      lines: (model, layer) =>
        ofLayers(model, layer, [
          { key: "alpha_sparsity", label: "sparsity", colour: "ink", text: (v) => lab.format.percent(v) },
          { key: "structural_entropy", label: "entropy", colour: "accent", text: (v) => `${share(v)} bit` },
        ]),
    },
    oligarchy: {
      range: [0, 1],
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
      absent: "no diagonal, as P is not E",
    },
    load: {
      range: [0, 1],
      lines: (model, layer) =>
        ofLayers(model, layer, [
          { key: "load_gini", label: "Gini", colour: "ink", text: share },
          {
            key: "idle_experts",
            label: "idle",
            colour: "accent",
            scale: model.hello.experts,
            text: (v) => `${Math.round(v)} of ${model.hello.experts}`,
          },
        ]),
    },
    conflict: {
      range: [0, 1],
      lines: (model, layer) =>
        ofLayers(model, layer, [
          { key: "gradient_interference", label: "conflict", colour: "ink", text: share },
          { key: "rank_overlap", label: "overlap", colour: "accent", text: share },
        ]),
    },
  };

  function taskLines(task, q) {
    const common = { colour: `task${q % 3}`, short: lab.matrices.shortName(task.label) };
    return [
      { ...common, key: `test_accuracy/${task.name}`, label: common.short, text: (v) => lab.format.percent(v), withBlind: `test_accuracy_blind/${task.name}` },
      { ...common, key: `test_accuracy_blind/${task.name}`, label: `${common.short} blind`, text: (v) => lab.format.percent(v), dash: "3px,2px", unlabelled: true },
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
