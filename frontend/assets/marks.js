"use strict";
// What is drawn as a vertical line on every chart: changes by people (violet), phases of the network (dashed grey).
(function (lab) {
  const SYMBOLS = { p_drop: "p_drop", lambda_conflict: "λ", lr_ratio: "ratio", lr_base: "rate", l1: "L1", binarize: "bin" };
  const MOST_MARKS = 60;

  /** Controls an event changed: [{name, from, to}]. */
  function changes(event) {
    if (event.kind !== "applied" || !event.data) return [];
    const { old: before = {}, new: after = {} } = event.data;
    return Object.keys(after || {})
      .filter((name) => name in SYMBOLS && after[name] !== (before || {})[name])
      .map((name) => ({ name, from: (before || {})[name], to: after[name] }));
  }

  function changeLabel(change) {
    const from = typeof change.from === "number" ? `${lab.format.setting(change.from)} → ` : "";
    return `${SYMBOLS[change.name]} ${from}${lab.format.setting(change.to)}`;
  }

  /** Marks of one epoch, oldest first: [{step, label, change}]. */
  function marksOf(events, epoch) {
    const marks = [];
    for (const event of events) {
      if (event.epoch !== epoch) continue;
      const changed = changes(event);
      if (changed.length) marks.push({ step: event.step, label: changed.map(changeLabel).join(", "), change: true });
      else if (event.kind === "phase" && !UNMARKED.includes(event.data.phase)) marks.push({ step: event.step, label: phaseLabel(event), change: false });
    }
    return marks.slice(-MOST_MARKS);
  }

  /** Experts fall idle and come back often: the log and the load chart tell that, a mark each would hide the lines. */
  const UNMARKED = ["idle", "recovered"];
  const PHASES = {
    symmetry_broken: () => "symmetry broke",
    oligarchy: () => "oligarchy",
    sparse: () => "sparse",
  };

  function phaseLabel({ data, text }) {
    const words = PHASES[data.phase];
    if (!words) return text.split(/[:,.]/)[0].slice(0, 24);
    return `${words(data)}${"layer" in data ? `, L${data.layer + 1}` : ""}`;
  }

  lab.marks = { changes, changeLabel, marksOf };
})((window.lab = window.lab || {}));
