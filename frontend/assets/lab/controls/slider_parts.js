// The elements of a slider: name and value, what it does, rail, scale, and the note.

import { element } from "../core/element.js";
import { bound } from "../core/format.js";
import { POSITIONS } from "./slider_scale.js";

/** @import { ControlSpec } from "../core/settings.js" */
/** @import { SliderScale } from "./slider_scale.js" */

/** Where a position lies on the rail, by CSS. @param {number} position */
export const place = (position) => `calc(8px + (100% - 16px) * ${position / POSITIONS})`;

/**
 * Build them in an empty host.
 *
 * @param {HTMLElement} host
 * @param {ControlSpec} spec
 * @param {string} id of the value's input
 * @param {SliderScale} scale
 */
export function sliderParts(host, spec, id, scale) {
  const entry = element("input", {
    className: "control-value",
    id,
    inputMode: "decimal",
    autocomplete: "off",
    disabled: true,
  });
  const range = element("input", { type: "range", min: "0", max: String(POSITIONS), step: "1", disabled: true });
  const note = element("p", { className: "note", id: `${id}-note`, textContent: "\u00a0" });
  const gloss = element("p", { className: "control-gloss", textContent: spec.gloss });
  const tick = element("span", { className: "control-tick", hidden: true });
  const back = element("button", { type: "button", className: "control-preset", hidden: true });
  const unit = element("span", { className: "control-unit", textContent: spec.unit ? `\u2009${spec.unit}` : "" });
  note.setAttribute("aria-live", "polite");
  range.setAttribute("aria-label", spec.label);
  for (const input of [range, entry]) input.setAttribute("aria-describedby", note.id);
  host.title = `${spec.doc}; double-click the slider for the preset's value`;
  host.append(
    element(
      "div",
      { className: "control-head" },
      nameOf(spec, id),
      element("span", { className: "control-entry" }, entry, unit),
    ),
    gloss,
    element("div", { className: "control-rail" }, tick, range),
    element("div", { className: "control-scale" }, ...ticksOf(spec, scale), back),
    note,
  );
  return { entry, range, note, gloss, tick, back };
}

/** @param {ControlSpec} spec @param {string} id */
function nameOf({ label, name: words, short }, id) {
  const sign = words && words.toLowerCase() !== label.toLowerCase() ? ` ${label}` : "";
  return element(
    "label",
    { htmlFor: id },
    element("span", { className: short ? "long-name" : "", textContent: words || label }),
    short ? element("span", { className: "short-name", textContent: short }) : null,
    element("span", { className: "control-sign", textContent: sign }),
  );
}

/** @param {ControlSpec} spec @param {SliderScale} scale */
const ticksOf = ({ ticks }, scale) =>
  ticks.map((tick) => {
    const mark = element("span", { textContent: bound(tick) });
    mark.style.left = place(scale.position(tick));
    return mark;
  });
