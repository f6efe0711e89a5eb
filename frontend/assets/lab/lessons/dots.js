// A lesson's answer over the recorded seeds: a dot a seed, one row a run, with the mean's 95 % t-interval.

import { svg } from "../charts/svg.js";
import { interval, LEAST_SEEDS } from "../twin/bands.js";

/** @import { Group, Lesson } from "./told.js" */

const WIDTH = 228;
const LEFT = 20;
const RIGHT = 8;
const LEAST_ROW = 30;
const DOT = 3;
const NEAR = 5; // px between two dots that stand on one another
const LETTERS = ["A", "B"];

/** @param {number} value */
const plain = (value) => (Number.isInteger(value) ? String(value) : value.toPrecision(2));

/**
 * How high each dot stands on those that are in its place already, from 0.
 *
 * @param {number[]} xs px, in any order
 */
export function stacked(xs) {
  return xs.map((x, i) => xs.slice(0, i).filter((other) => Math.abs(other - x) < NEAR).length);
}

/** @param {Pick<Lesson, "groups" | "axis" | "unit">} lesson */
export function dots({ groups, axis: [low, high], unit }) {
  const values = groups.flatMap((group) => group.values);
  const [first, last] = [Math.min(low, ...values), Math.max(high, ...values)];
  const at = (/** @type {number} */ value) => LEFT + ((WIDTH - LEFT - RIGHT) * (value - first)) / (last - first);
  const rows = groups.map((group) => {
    const xs = group.values.map(at);
    const levels = stacked(xs);
    return { xs, levels, room: Math.max(LEAST_ROW, 16 + 2 * DOT * (1 + Math.max(0, ...levels))) };
  });
  const height = rows.reduce((sum, { room }) => sum + room, 18);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", class: "lesson-dots" });
  drawn.setAttribute("aria-label", groups.map((group, i) => inWords(group, i, groups.length, unit)).join(" "));
  let y = -6;
  for (const [i, group] of groups.entries()) {
    const { xs, levels, room } = rows[i];
    y += room;
    const letter = groups.length > 1 ? LETTERS[i].toLowerCase() : "a";
    drawn.append(svg("path", { d: `M${LEFT} ${y}H${WIDTH - RIGHT}`, class: "dots-axis" }));
    if (groups.length > 1) drawn.append(svg("text", { x: 2, y: y + 4, class: `dots-letter is-${letter}` }, LETTERS[i]));
    if (group.values.length >= LEAST_SEEDS) {
      const { mean, half } = interval(group.values);
      const [from, to] = [at(Math.max(first, mean - half)), at(Math.min(last, mean + half))];
      drawn.append(svg("path", { d: `M${from} ${y}H${Math.max(to, from + 1)}`, class: `dots-band is-${letter}` }));
    }
    for (const [k, x] of xs.entries()) {
      const isShown = group.seeds[k] === group.shown;
      const cy = y - 4 - levels[k] * 2 * DOT;
      drawn.append(svg("circle", { cx: x, cy, r: DOT, class: `dots-dot is-${letter}${isShown ? " is-shown" : ""}` }));
    }
  }
  for (const value of [first, (first + last) / 2, last]) {
    drawn.append(
      svg("text", { x: at(value), y: height - 4, "text-anchor": "middle", class: "dots-tick" }, plain(value)),
    );
  }
  return drawn;
}

/**
 * @param {Group} group
 * @param {number} place
 * @param {number} many
 * @param {string} unit
 */
function inWords({ values }, place, many, unit) {
  const name = many > 1 ? `${LETTERS[place]}: ` : "";
  return `${name}${values.map(plain).join(", ")} ${unit}, ${values.length} ${values.length === 1 ? "seed" : "seeds"}.`;
}
