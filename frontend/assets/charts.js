"use strict";
// Line charts over the same steps. Plotly redraws one chart a tick, at most five a second in total.
(function (lab) {
  const TICK_MS = 200;
  const HIDDEN_TICK_MS = 5000; // a chart that is scrolled away
  const MARGIN = { l: 34, r: 84, t: 14, b: 16 };
  const LABEL_HEIGHT = 13;
  const FAMILY = '"Inter", system-ui, sans-serif';
  const MANY_MARKS = 8; // more of them are drawn faintly, so that the lines stay readable
  const BUCKETS = 160;
  const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false, showTips: false };

  class Charts {
    /** `view()` gives {model, layer, untilStep}; `onPick(step)` is called when a moment is clicked. */
    constructor(view, onPick) {
      this.view = view;
      this.names = Object.keys(lab.chartLines);
      this.dirty = new Set(this.names);
      this.next = 0;
      this.lastTick = 0;
      this.redraws = 0;
      this.drawnAt = Object.fromEntries(this.names.map((name) => [name, -HIDDEN_TICK_MS]));
      this.boxes = Object.fromEntries(this.names.map((name) => [name, document.getElementById(`chart-${name}`)]));
      this.visible = new Set(this.names);
      const seen = new IntersectionObserver((entries) => {
        for (const entry of entries) {
          const name = entry.target.id.slice("chart-".length);
          if (entry.isIntersecting) this.visible.add(name);
          else this.visible.delete(name);
        }
      });
      const sized = new ResizeObserver(() => this.invalidate());
      for (const name of this.names) {
        const box = this.boxes[name];
        box.setAttribute("role", "img");
        seen.observe(box);
        sized.observe(box);
        box.addEventListener("click", (event) => this.#pick(name, event, onPick));
      }
      for (const button of document.querySelectorAll("[data-view]")) {
        const { chart, view } = button.dataset;
        button.addEventListener("click", () => this.#choose(chart, view));
      }
    }

    /** Show another of the things a chart can show. */
    #choose(name, view) {
      this.view().model.chartViews[name] = view;
      for (const button of document.querySelectorAll(`[data-chart="${name}"]`)) {
        button.setAttribute("aria-pressed", String(button.dataset.view === view));
      }
      this.lastTick = 0;
      this.#draw(name);
    }

    /** Leave out the charts, and the keys of lines, that this model has no numbers for. */
    setUp() {
      const { model } = this.view();
      const shown = this.names.filter((name) => lab.chartLines[name].isOf(model));
      for (const name of this.names) document.getElementById(`figure-${name}`).hidden = !shown.includes(name);
      document.getElementById("charts").dataset.count = String(shown.length);
      const scalars = [...model.scalarNames];
      for (const key of document.querySelectorAll("[data-key]")) {
        key.hidden = scalars.length > 0 && !scalars.some((name) => name.startsWith(`${key.dataset.key}/`));
      }
      this.invalidate();
    }

    invalidate() {
      for (const name of this.names) this.dirty.add(name);
    }

    /** Redraw at most one chart, if its turn has come. Called from the drawing loop. */
    tick(now) {
      if (now - this.lastTick < TICK_MS || !window.Plotly) return;
      for (let i = 0; i < this.names.length; i++) {
        const name = this.names[(this.next + i) % this.names.length];
        const hidden = !this.visible.has(name) && now - this.drawnAt[name] < HIDDEN_TICK_MS;
        if (!this.dirty.has(name) || hidden || !lab.chartLines[name].isOf(this.view().model)) continue;
        this.lastTick = now;
        this.next = (this.next + i + 1) % this.names.length;
        this.dirty.delete(name);
        if (this.#draw(name)) this.drawnAt[name] = now;
        return;
      }
    }

    /** Whether there was anything to draw. */
    #draw(name) {
      const { model, layer, untilStep } = this.view();
      const chart = lab.chartLines[name];
      const box = this.boxes[name];
      const lines = model.hello ? chart.lines(model, layer).filter((line) => model.scalarNames.has(line.key)) : [];
      const drawn = lines.map((line) => this.#points(model.store, line, untilStep)).filter((line) => line.xs.length);
      const lastStep = Math.max(10, model.store.lastStep);
      const layout = this.#layout(box, chart, drawn, lastStep, { model, layer, untilStep });
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
        line: { color: colourOf(line.colour), width: line.faint ? 1 : 1.6, dash: line.dash || "solid" },
      }));
      Plotly.react(box, traces, layout, CONFIG);
      this.redraws += 1;
      const ends = drawn.filter((line) => !line.faint && line.end !== undefined).map((line) => `${line.label} ${line.text(line.end)}`);
      box.setAttribute("aria-label", ends.length ? `At step ${untilStep === null ? lastStep : untilStep}: ${ends.join(", ")}` : "No values yet");
      return drawn.length > 0;
    }

    /** A line's points, and its value at the moment looked back at, or its last. */
    #points(store, line, untilStep) {
      const series = store.get(line.key);
      const { xs, ys } = series.means(BUCKETS, Infinity);
      const raw = ys;
      const scaled = line.scale ? ys.map((y) => y / line.scale) : ys;
      const end = untilStep === null ? raw[raw.length - 1] : series.at(untilStep);
      const beside = (line.beside || []).map((key) => {
        const other = store.get(key);
        return untilStep === null ? other.last : other.at(untilStep);
      });
      return { ...line, xs, ys: scaled, raw, end, beside };
    }

    #layout(box, chart, drawn, lastStep, { model, layer, untilStep }) {
      const { width, height } = box.getBoundingClientRect();
      const fixed = chart.range && chart.range(model);
      const range = fixed || niceRange(drawn);
      const margin = marginOf(chart, model);
      const plotHeight = height - margin.t - margin.b;
      const plotWidth = width - margin.l - margin.r;
      const { muted, line } = lab.colours;
      const axis = { fixedrange: true, zeroline: false, showline: false, tickfont: { size: 10, color: muted }, gridcolor: line, ticklen: 0 };
      const { shapes, labels } = this.#marks({ model, layer, untilStep }, lastStep, { plotWidth, right: margin.r });
      const annotations = [...labels, ...endLabels(drawn, range, plotHeight)];
      if (!drawn.length) annotations.push(emptyNote(model, chart));
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
        hoverlabel: { font: { size: 11, color: lab.colours.ink, family: FAMILY }, bgcolor: lab.colours.panel, bordercolor: line },
        xaxis: { ...axis, range: [0, lastStep], nticks: Math.max(2, Math.floor(plotWidth / 44)), showgrid: false, tickformat: lastStep >= 10000 ? "~s" : ",d", hoverformat: ",d" },
        yaxis: { ...axis, range, nticks: 4, tickformat: chart.percent ? ".0%" : fixed ? ".1f" : "~g" },
        shapes,
        annotations,
      };
    }

    #marks({ model, layer, untilStep }, lastStep, room) {
      const marks = model.marks().filter((mark) => mark.layer === null || mark.layer === layer);
      const opacity = marks.length > MANY_MARKS ? 0.35 : 1;
      const shapes = marks.map((mark) => ({
        ...vertical(mark.step, mark.change ? lab.colours.change : lab.colours.muted, mark.change ? "solid" : mark.controller ? "1px,3px" : "4px,3px"),
        opacity,
      }));
      if (untilStep === null) return { shapes, labels: markLabels(marks, lastStep, room) };
      const { accent, panel } = lab.colours;
      shapes.push({ type: "rect", xref: "x", yref: "paper", x0: untilStep, x1: lastStep, y0: 0, y1: 1, fillcolor: panel, opacity: 0.65, line: { width: 0 } });
      shapes.push({ ...vertical(untilStep, accent, "solid"), line: { color: accent, width: 3 } });
      const here = { step: untilStep, label: `step ${lab.format.count(untilStep)}`, here: true };
      return { shapes, labels: markLabels([...marks, here], lastStep, room) };
    }

    #pick(name, event, onPick) {
      const { model } = this.view();
      const box = this.boxes[name].getBoundingClientRect();
      const margin = marginOf(lab.chartLines[name], model);
      const at = (event.clientX - box.left - margin.l) / (box.width - margin.l - margin.r);
      if (at >= 0 && at <= 1 && model.store.lastStep > 0) onPick(Math.round(at * Math.max(10, model.store.lastStep)));
    }
  }

  /** Room around the lines; a chart with long labels at its ends needs more on the right. */
  const marginOf = (chart, model) => ({ ...MARGIN, r: chart.labelWidth ? chart.labelWidth(model) : MARGIN.r });

  function colourOf(name) {
    return name.startsWith("task") ? lab.colours.tasks[Number(name.slice(4))] : lab.colours[name];
  }

  function textColourOf(name) {
    return name.startsWith("task") ? lab.colours.taskTexts[Number(name.slice(4))] : lab.colours[name];
  }

  function vertical(step, color, dash) {
    return { type: "line", xref: "x", yref: "paper", x0: step, x1: step, y0: 0, y1: 1, line: { color, width: 1, dash } };
  }

  /** Labels on top of the marks; the newest and the changes by people win where there is no room for all. */
  function markLabels(marks, lastStep, { plotWidth, right }) {
    const rank = (mark) => (mark.here ? 3 : mark.change ? 2 : mark.controller ? 0 : 1);
    const taken = [];
    const labels = [];
    const byRank = marks.map((mark, i) => ({ ...mark, i })).sort((a, b) => rank(b) - rank(a) || b.i - a.i);
    for (const mark of byRank) {
      const width = 5.4 * mark.label.length + 6;
      const at = (mark.step / lastStep) * plotWidth;
      const places = [Math.max(0, Math.min(at - 2, plotWidth + right - width)), Math.max(0, at - width + 2)];
      const start = places.find((place) => !taken.some(([from, to]) => place < to && place + width > from));
      if (start === undefined) continue;
      taken.push([start, start + width]);
      labels.push({
        xref: "paper", yref: "paper", x: start / plotWidth, y: 1, xanchor: "left", yanchor: "bottom", showarrow: false,
        text: mark.label, font: { size: 10, color: mark.here ? lab.colours.accent : mark.change ? lab.colours.change : lab.colours.muted }, borderpad: 0,
      });
    }
    return labels;
  }

  /** Name and value at the end of each line, or at the moment looked back at, moved apart where they would overlap. */
  function endLabels(drawn, range, plotHeight) {
    const labels = drawn
      .filter((line) => !line.unlabelled && line.end !== undefined)
      .map((line) => {
        const inside = Math.max(0, Math.min(1, (line.end / (line.scale || 1) - range[0]) / (range[1] - range[0])));
        return { line, y: (1 - inside) * plotHeight };
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
      xref: "paper", yref: "paper", x: 1, y: 1 - y / plotHeight, xanchor: "left", yanchor: "middle", xshift: 4,
      align: "left", showarrow: false, borderpad: 0,
      text: `<b>${line.label}</b> ${valueText(line)}`,
      font: { size: 10, color: textColourOf(line.colour) },
    }));
  }

  function valueText(line) {
    if (!line.beside.length) return line.text(line.end);
    return [line.end, ...line.beside].map((share) => (Number.isFinite(share) ? Math.round(100 * share) : "?")).join(" · ");
  }

  function emptyNote(model, chart) {
    const absent = chart.absent && chart.absent(model);
    const started = model.store.lastStep > 0 && absent;
    return {
      xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false,
      text: started ? absent : "no values yet", font: { size: 10, color: lab.colours.muted },
    };
  }

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

  lab.Charts = Charts;
})((window.lab = window.lab || {}));
