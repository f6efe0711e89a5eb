"use strict";
// A chart of a study: curves with a band over seeds, or dots with whiskers where the places on x have names.
(function (lab) {
  const [WIDTH, HEIGHT] = [360, 208];
  const EDGE = { left: 44, right: 12, top: 8, bottom: 36 };
  const DASHES = ["none", "6 3", "2 3", "8 3 2 3"];
  const COLOURS = ["task-0", "task-1", "task-2", "change", "muted", "low"];

  const finite = (values) => values.filter(Number.isFinite);

  function scaleOf(values, from, to, log) {
    const shape = log ? Math.log10 : (value) => value;
    const shaped = finite(values.map(shape));
    let [low, high] = [Math.min(...shaped), Math.max(...shaped)];
    if (low === high) [low, high] = [low - 0.5, high + 0.5];
    const place = (value) => from + ((shape(value) - low) / (high - low)) * (to - from);
    const ends = log ? [10 ** low, 10 ** high] : [low, high];
    return { place, ends };
  }

  /** A figure for one chart of evidence.json; null where nothing in it has a value. */
  function draw(chart) {
    const named = chart.x_labels.length > 0;
    const ys = finite(chart.lines.flatMap((line) => [...line.low, ...line.high, ...line.mean]));
    const xs = chart.lines.flatMap((line) => line.x);
    if (!ys.length) return null;
    const { svg, tick } = lab.whisker;
    const xValues = named ? [-0.5, chart.x_labels.length - 0.5] : xs;
    const x = scaleOf(xValues, EDGE.left, WIDTH - EDGE.right, !named && chart.x_scale === "log" && Math.min(...xs) > 0);
    const y = scaleOf([...ys, ...(Math.min(...ys) > 0 && Math.min(...ys) < 0.5 * Math.max(...ys) ? [0] : [])], HEIGHT - EDGE.bottom, EDGE.top, false);
    const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${chart.title}: ${chart.y_label} over ${chart.x_label}`, class: "study-chart" });
    axes(image, chart, x, y, named, tick);
    chart.lines.forEach((line, i) => image.append(named ? dots(line, i, chart.lines.length, x, y) : curve(line, i, x, y)));
    const figure = document.createElement("figure");
    const caption = Object.assign(document.createElement("figcaption"), { textContent: chart.title });
    figure.append(caption, image, key(chart.lines));
    return figure;
  }

  const colour = (i) => `var(--${COLOURS[i % COLOURS.length]})`;

  function axes(image, chart, x, y, named, tick) {
    const { svg } = lab.whisker;
    const bottom = HEIGHT - EDGE.bottom;
    const span = y.ends[1] - y.ends[0];
    for (const share of [0, 0.5, 1]) {
      const value = y.ends[0] + share * span;
      image.append(svg("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y.place(value), y2: y.place(value), class: "study-grid" }));
      image.append(svg("text", { x: EDGE.left - 6, y: y.place(value) + 4, "text-anchor": "end" }, tick(value, span)));
    }
    if (named) chart.x_labels.forEach((label, i) => image.append(svg("text", { x: x.place(i), y: bottom + 14, "text-anchor": "middle" }, label)));
    else {
      image.append(svg("text", { x: EDGE.left, y: bottom + 14 }, tick(x.ends[0], x.ends[1] - x.ends[0])));
      image.append(svg("text", { x: WIDTH - EDGE.right, y: bottom + 14, "text-anchor": "end" }, tick(x.ends[1], x.ends[1] - x.ends[0])));
    }
    image.append(svg("text", { x: EDGE.left, y: HEIGHT - 6 }, `${chart.y_label} over ${chart.x_label}`));
  }

  function curve(line, i, x, y) {
    const { svg } = lab.whisker;
    const group = svg("g", {});
    const points = line.x.map((at, k) => ({ at, mean: line.mean[k], low: line.low[k], high: line.high[k] })).filter((p) => Number.isFinite(p.mean));
    const path = (name, order) => order.map((p) => `${x.place(p.at).toFixed(1)},${y.place(Number.isFinite(p[name]) ? p[name] : p.mean).toFixed(1)}`);
    group.append(svg("polygon", { points: [...path("low", points), ...path("high", points.slice().reverse())].join(" "), fill: colour(i), opacity: 0.15 }));
    group.append(svg("polyline", { points: path("mean", points).join(" "), fill: "none", stroke: colour(i), "stroke-width": 1.6, "stroke-dasharray": DASHES[i % DASHES.length] }));
    return group;
  }

  function dots(line, i, lines, x, y) {
    const { svg } = lab.whisker;
    const group = svg("g", { stroke: colour(i), fill: colour(i) });
    line.x.forEach((at, k) => {
      if (!Number.isFinite(line.mean[k])) return;
      const cx = x.place(at + (lines > 1 ? (i / (lines - 1) - 0.5) * 0.4 : 0));
      group.append(svg("line", { x1: cx, x2: cx, y1: y.place(line.low[k]), y2: y.place(line.high[k]), "stroke-width": 1.5 }));
      group.append(svg("circle", { cx, cy: y.place(line.mean[k]), r: 3.5 }));
    });
    return group;
  }

  function key(lines) {
    const list = document.createElement("p");
    list.className = "study-key";
    lines.forEach((line, i) => {
      const item = document.createElement("span");
      const { svg } = lab.whisker;
      const sample = svg("svg", { width: 20, height: 8, "aria-hidden": "true" });
      sample.append(svg("line", { x1: 0, x2: 20, y1: 4, y2: 4, stroke: colour(i), "stroke-width": 2, "stroke-dasharray": DASHES[i % DASHES.length] }));
      item.append(sample, line.label);
      list.append(item);
    });
    return list;
  }

  lab.studyChart = { draw };
})((window.lab = window.lab || {}));
