"use strict";
// From a frame's arrays to what each picture shows: topology, conflict, routing.
(function (lab) {
  const LABEL_WIDTH = 24;
  const ROUTING_LABEL_WIDTH = 60;
  const CONFLICT_GAMMA = 0.5; // weak conflicts stay visible

  const expert = (e) => `E${e}`;
  const block = (p) => `B${p}`;
  const byte = (share) => Math.round(255 * Math.max(0, Math.min(1, share)));

  /** Largest and smallest entry, as one sentence. */
  function extremes(array, rowName, colName, verb) {
    let [high, low] = [-1, -1];
    for (let i = 0; i < array.data.length; i++) {
      const value = array.data[i];
      if (Number.isNaN(value)) continue;
      if (high < 0 || value > array.data[high]) high = i;
      if (low < 0 || value < array.data[low]) low = i;
    }
    if (high < 0) return "No values yet.";
    const place = (i) =>
      `${lab.format.cell(array.data[i])} (${rowName(Math.floor(i / array.cols))} ${verb} ${colName(i % array.cols)})`;
    return `Largest ${place(high)}, smallest ${place(low)}.`;
  }

  /** sigma(A) of a layer; with `raw` the cells print the logits A, the colours stay those of sigma(A). */
  function topology(layer, raw) {
    const { connection, topology_logits } = layer;
    const { rows, cols, data } = connection;
    const square = rows === cols;
    const shown = raw ? topology_logits : connection;
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      colLabels: block,
      scale: () => lab.colours.diverging,
      level: (r, c) => byte(data[r * cols + c]),
      text: (r, c) => cellText(shown.data[r * cols + c], raw),
      read: (r, c) => {
        const i = r * cols + c;
        const target = `${square && r === c ? "its own block" : "block"} ${block(c)}`;
        return `E${r} to ${target}: σ(A) ${data[i].toFixed(3)}, A ${topology_logits.data[i].toFixed(3)}`;
      },
      summary: () => extremes(connection, expert, block, "to"),
    };
  }

  function cellText(value, raw) {
    if (!raw) return lab.format.cell(value);
    return value.toFixed(Math.abs(value) >= 9.95 ? 0 : 1);
  }

  /** Conflict of the experts' last gradients: hatched without overlap, a dot where an expert was idle. */
  function conflict(layer) {
    const { conflict: array, overlap, load } = layer;
    const { rows, cols, data } = array;
    const idle = (e) => Boolean(load) && load.data[e] === 0;
    const { HATCH, DOT, BLANK } = lab.NO_VALUE;
    const why = (r, c) => (overlap && overlap.data[r * cols + c] === 0 ? HATCH : DOT);
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      colLabels: expert,
      scale: () => lab.colours.opposition,
      level: (r, c) => {
        if (r === c) return BLANK;
        const value = data[r * cols + c];
        return Number.isNaN(value) ? why(r, c) : byte(value ** CONFLICT_GAMMA);
      },
      text: (r, c) => (data[r * cols + c] >= 0.005 ? cellText(data[r * cols + c], false) : ""),
      read: (r, c) => {
        if (r === c) return `E${r} with itself: no conflict is defined`;
        const value = data[r * cols + c];
        const shared = overlap ? `, ${lab.format.percent(overlap.data[r * cols + c])} of the rank shared` : "";
        if (!Number.isNaN(value)) return `E${r} and E${c}: conflict ${value.toFixed(3)}${shared}`;
        if (why(r, c) === HATCH) return `E${r} and E${c} share no dimension`;
        const silent = [r, c].filter(idle).map(expert).join(" and ");
        if (silent) return `${silent} got no token in the last step`;
        return `E${r} and E${c}: the last step gave one of them no gradient on what they share`;
      },
      summary: () => extremes(array, expert, expert, "and"),
    };
  }

  /** Share of each task's assignments by expert; one hue a task. */
  function routing(array, tasks, blind) {
    const { rows, cols, data } = array;
    const task = (q) => tasks[q] || { label: `Task ${q}` };
    return {
      rows,
      cols,
      labelWidth: ROUTING_LABEL_WIDTH,
      rowLabels: (q) => shortName(task(q).label),
      rowDot: (q) => lab.colours.tasks[q % lab.colours.tasks.length],
      colLabels: expert,
      scale: (q) => lab.colours.shares[q % lab.colours.shares.length],
      level: (q, e) => (Number.isNaN(data[q * cols + e]) ? lab.NO_VALUE.HATCH : byte(data[q * cols + e] ** 0.7)),
      text: (q, e) => (data[q * cols + e] >= 0.005 ? lab.format.cell(data[q * cols + e]) : ""),
      read: (q, e) =>
        `${task(q).label}${blind ? ", task ID removed" : ""}: ${(100 * data[q * cols + e]).toFixed(1)} % of its tokens go to E${e}`,
      summary: () => extremes(array, (q) => task(q).label, expert, "to"),
    };
  }

  const shortName = (label) => (label.length > 8 ? label.split(/[-\s]/)[0] : label);

  lab.matrices = { topology, conflict, routing, shortName, expert, block, CONFLICT_GAMMA };
})((window.lab = window.lab || {}));
