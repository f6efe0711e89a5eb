"use strict";
// What each model is called, and what it lacks: in words for the panels, the sliders and the header.
(function (lab) {
  const OWNS = "each expert owns its weights";
  const ARCHITECTURES = {
    cdsp: { name: "CDSP-MoE", full: "A CDSP mixture of experts" },
    standard: { name: "Standard MoE", full: "A standard mixture of experts", owns: OWNS },
    blind: { name: "Blind MoE", full: "A blind mixture of experts", owns: OWNS },
    dense: { name: "Dense net", full: "A dense net", owns: "all tokens pass through the same weights" },
    expert_choice: { name: "Expert choice", full: "A mixture whose experts choose their tokens", owns: OWNS },
    shared_fine: { name: "Shared + fine experts", full: "A mixture of shared and fine-grained experts", owns: OWNS },
    dselect_k: { name: "DSelect-k", full: "A mixture with the DSelect-k gate", owns: OWNS },
    stgc: { name: "STGC", full: "A mixture that reassigns conflicting tokens", owns: OWNS },
  };
  /** Controls that act on A alone. */
  const OF_TOPOLOGY = ["lambda_conflict", "lr_ratio", "l1", "binarize", "sharing"];

  const words = (model) => ARCHITECTURES[model.architecture] || { name: model.architecture, full: "This model", owns: OWNS };

  /** Why a panel has no picture, one sentence a panel. */
  function absent(model) {
    const { full, owns } = words(model);
    return {
      topology: `${full} has no topology matrix: ${owns}.`,
      conflict: `${full} has no topology matrix, so no subspaces conflict.`,
      backbone: `${full} has no shared backbone to divide: ${owns}.`,
      routing: `${full} has no router: ${owns}.`,
    };
  }

  /** Why a control does nothing for this model, {short, full}; null where it does something. */
  function unused(model, control) {
    const { full } = words(model);
    if (!model.hasTopology && OF_TOPOLOGY.includes(control)) {
      return { short: "no effect: this model has no A", full: `${full} has no topology matrix A for this to act on.` };
    }
    if (control !== "p_drop") return null;
    if (model.architecture === "blind") return { short: "no effect: no task ID to hide", full: `${full} never sees a task ID, so there is none to hide.` };
    if (model.architecture === "dense") return { short: "no effect: no router", full: `${full} has no router that could be given a task ID.` };
    return null;
  }

  lab.architectures = { nameOf: (model) => words(model).name, absent, unused };
})((window.lab = window.lab || {}));
