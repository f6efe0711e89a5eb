// What legends are made of, drawn with the scales that the pictures use.

import { element } from "../core/element.js";

/** @import { Scale } from "../core/colours.js" */

const STOPS = 12;

/**
 * A scale as a bar; `shape` is how values are spread over it.
 *
 * @param {Scale} scale
 * @param {(share: number) => number} [shape]
 */
export function legendBar(scale, shape = (s) => s) {
  const stops = Array.from({ length: STOPS + 1 }, (_, i) => scale.fill[Math.round(255 * shape(i / STOPS))]);
  const bar = element("span", { className: "legend-bar" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return bar;
}

/**
 * A swatch and what it means.
 *
 * @param {string} text
 * @param {{ colour?: string, swatch?: string }} look
 */
export function legendItem(text, { colour = "", swatch = "" }) {
  const sample = element("span", { className: `swatch ${swatch}`.trim() });
  sample.style.background = colour;
  return element("span", { className: "legend-item" }, sample, text);
}
