"use strict";
// Legends under the pictures, drawn with the scales the pictures use.
(function (lab) {
  const STOPS = 12;

  function gradient(scale, shape = (s) => s) {
    const stops = Array.from({ length: STOPS + 1 }, (_, i) => scale.fill[Math.round(255 * shape(i / STOPS))]);
    return `linear-gradient(to right, ${stops.join(", ")})`;
  }

  function bar(scale, shape) {
    const element = document.createElement("span");
    element.className = "legend-bar";
    element.style.background = gradient(scale, shape);
    return element;
  }

  function item(text, colour, className = "") {
    const element = document.createElement("span");
    element.className = "legend-item";
    const swatch = document.createElement("span");
    swatch.className = `swatch ${className}`;
    if (colour) swatch.style.background = colour;
    element.append(swatch, text);
    return element;
  }

  function put(id, ...parts) {
    const host = document.getElementById(id);
    if (host) host.replaceChildren(...parts);
  }

  function show(raw, hello) {
    const { colours } = lab;
    if (hello && hello.topology === false) {
      for (const id of ["legend-topology0", "legend-topology1", "legend-conflict", "legend-backbone"]) put(id);
      return;
    }
    const ends = raw ? ["A −4", "+4"] : ["0 lets go", "1 holds"];
    for (const slot of [0, 1]) put(`legend-topology${slot}`, ends[0], bar(colours.diverging), ends[1]);
    put("legend-conflict", "0", bar(colours.opposition, (s) => s ** lab.matrices.CONFLICT_GAMMA), "1", item("no overlap", null, "swatch-hatch"), item("idle", null, "swatch-dot"));
    const hasOwn = !hello || hello.experts === hello.partitions;
    const held = hasOwn ? [item("own", colours.high), item("others'", colours.low)] : [item("held", colours.low)];
    put("legend-backbone", ...held, item("thin: shared", null, "swatch-thin"));
  }

  lab.legends = { show };
})((window.lab = window.lab || {}));
