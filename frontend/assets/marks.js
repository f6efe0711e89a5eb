"use strict";
// What is drawn as a vertical line on every chart: changes by people (violet), phases of the network (dashed grey).
(function (lab) {
  const MOST_MARKS = 60;

  const sliderOf = (name) => document.getElementById(`control-${name}`);

  /** A control's one name on the page: its slider's. */
  const labelOf = (name) => sliderOf(name).dataset.label;

  /** Numbers of four digits and more, but for a seed and for what was typed. */
  const LONG = /(?<!Found |seed |[\w.,])\d{4,}(?![\w]|[.,]\d)/g;

  /** A sentence of the server with the controls called as on the page and its numbers grouped. */
  function inWords(text) {
    const named = (text || "").replace(/\b[a-z_]+[a-z0-9_]*\b/g, (word) => (sliderOf(word) ? labelOf(word) : word));
    return named.replace(LONG, (digits) => lab.format.count(Number(digits)));
  }

  const COMMANDS = { set: "The change", run_until: "Run until" };
  const DONE = { pause: "Paused", resume: "Resumed", stop: "Stopped", checkpoint: "Saved" };

  /** What an event says, with the command called as on the page. */
  function eventInWords({ text }) {
    const capital = (word) => word[0].toUpperCase() + word.slice(1);
    const told = text
      .replace(/^([a-z_]+) was refused: /, (_, command) => `${COMMANDS[command] || capital(command)} was refused: `)
      .replace(/^([a-z]+) (?=at step )/, (all, command) => (DONE[command] ? `${DONE[command]} ` : all));
    return inWords(told);
  }

  /** Controls an event changed: [{name, from, to}]. */
  function changes(event) {
    if (event.kind !== "applied" || !event.data) return [];
    const { old: before = {}, new: after = {} } = event.data;
    return Object.keys(after || {})
      .filter((name) => sliderOf(name) && after[name] !== (before || {})[name])
      .map((name) => ({ name, from: (before || {})[name], to: after[name] }));
  }

  function changeLabel(change) {
    const from = typeof change.from === "number" ? `${lab.format.setting(change.from)} → ` : "";
    return `${labelOf(change.name)} ${from}${lab.format.setting(change.to)}`;
  }

  /** Whether the run's own controller made a change, and no person. */
  const byController = (event) => Boolean(event.data) && event.data.by === "controller";

  /**
   * Marks of one epoch, oldest first: [{step, label, change, controller, layer}]; `change`: a person's, `controller`:
   * the controller's, else a phase; `layer` is null where a mark is of all layers.
   */
  function marksOf(events, epoch) {
    const marks = [];
    for (const event of events) {
      if (event.epoch !== epoch) continue;
      const changed = changes(event);
      const controller = byController(event);
      if (changed.length) marks.push({ step: event.step, label: changed.map(changeLabel).join(", "), change: !controller, controller, layer: null });
      else if (event.kind === "phase" && !UNMARKED.includes(event.data.phase)) {
        const { layer = null } = event.data;
        marks.push({ step: event.step, label: phaseLabel(event), change: false, layer });
      }
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
    return words(data);
  }

  lab.marks = { inWords, eventInWords, changes, changeLabel, byController, marksOf };
})((window.lab = window.lab || {}));
