"use strict";
// A dot with its interval, on a scale of its own: what is stored (filled), what was measured just now (hollow).
(function (lab) {
  const [WIDTH, ROW, AXIS, SIDE] = [196, 16, 14, 10];
  const LEAST_WHISKER = 0.06; // share of the scale below which the scale leaves zero out

  const SVG = "http://www.w3.org/2000/svg";

  function svg(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /** One seed gives a value without an interval. */
  const hasInterval = ({ interval }) => Boolean(interval) && interval.every(Number.isFinite);
  const measure = (value) => lab.format.minus(lab.format.measure(value));
  const endsOf = (measurement) => (hasInterval(measurement) ? measurement.interval : []);

  /** Lowest and highest value of the scale: around all intervals, with zero unless that would flatten them. */
  function extent(measurements) {
    const ends = measurements.flatMap((measurement) => [measurement.measured, ...endsOf(measurement)]);
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    const withZero = [Math.min(0, low), Math.max(0, high)];
    const flat = high - low < LEAST_WHISKER * (withZero[1] - withZero[0]);
    const [from, to] = flat ? [low, high] : withZero;
    const room = 0.08 * (to - from) || Math.abs(to) * 0.05 || 1;
    return [from === 0 ? 0 : from - room, to === 0 ? 0 : to + room];
  }

  /** Few digits, enough to tell the ends of a scale apart. */
  function tick(value, span) {
    const { count, minus } = lab.format;
    if (Number.isInteger(value)) return minus(count(value));
    const digits = Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(span))));
    return minus(Math.abs(value) >= 1e5 ? value.toExponential(1) : value.toFixed(digits));
  }

  /** The drawing of [{measured, interval, name, isNew}], or null when there is nothing to draw. */
  function draw(measurements) {
    const shown = measurements.filter(({ measured }) => Number.isFinite(measured));
    if (!shown.length) return null;
    const [from, to] = extent(shown);
    const at = (value) => SIDE + ((value - from) / (to - from)) * (WIDTH - 2 * SIDE);
    const height = ROW * shown.length + AXIS;
    const said = shown.map((measurement) => {
      const ends = endsOf(measurement).map(measure).join(" to ");
      return `${measurement.name}: ${measure(measurement.measured)}, ${ends ? `interval ${ends}` : "no interval"}`;
    });
    const image = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": said.join("; "), class: "whisker" });
    const bottom = ROW * shown.length;
    image.append(svg("line", { x1: SIDE, x2: WIDTH - SIDE, y1: bottom, y2: bottom, class: "whisker-axis" }));
    if (from <= 0 && to >= 0) image.append(svg("line", { x1: at(0), x2: at(0), y1: 0, y2: bottom, class: "whisker-zero" }));
    const labels = new Map([[from, "start"], [to, "end"]]);
    if (from < 0 && to > 0 && at(0) > 48 && at(0) < WIDTH - 48) labels.set(0, "middle");
    for (const [value, anchor] of labels) {
      const x = anchor === "start" ? 0 : anchor === "end" ? WIDTH : at(value);
      image.append(svg("text", { x, y: height - 2, "text-anchor": anchor }, tick(value, to - from)));
    }
    shown.forEach((measurement, row) => {
      const { measured, isNew, name } = measurement;
      const ends = endsOf(measurement);
      const y = ROW * row + ROW / 2;
      const group = svg("g", { class: isNew ? "whisker-new" : "whisker-stored" });
      group.append(svg("title", {}, `${name}: ${measure(measured)}`));
      if (ends.length) group.append(svg("line", { x1: at(ends[0]), x2: at(ends[1]), y1: y, y2: y }));
      for (const end of ends) group.append(svg("line", { x1: at(end), x2: at(end), y1: y - 3, y2: y + 3 }));
      group.append(svg("circle", { cx: at(measured), cy: y, r: 4 }));
      image.append(group);
    });
    return image;
  }

  lab.whisker = { draw, svg, tick };
})((window.lab = window.lab || {}));
