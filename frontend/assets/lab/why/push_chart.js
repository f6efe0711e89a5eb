// An entry of A over time: sigma above, below it what pushed the entry at each step, stacked up and down.

import { picturesTo } from "../core/log_steps.js";
import { count } from "../core/format.js";
import { pathOf, svg } from "../charts/svg.js";
import { PARTS, pushesOver } from "./pushes.js";

/** @import { EntryHistory } from "../core/messages.js" */

const [WIDTH, SIGMA, GAP, STACK, FOOT] = [228, 44, 14, 84, 16];
const LEFT = 18; // for the scale's labels
const CUT_LINE = 0.1;

/**
 * @param {EntryHistory} history
 * @param {number} step that is looked at
 * @param {string} label what it shows, in words
 */
export function pushChart(history, step, label) {
  const { steps, connection } = history;
  const last = Math.max(1, picturesTo(steps[steps.length - 1]));
  /** @param {number} of */
  const x = (of) => LEFT + (picturesTo(Math.min(of, steps[steps.length - 1])) / last) * (WIDTH - LEFT - 4);
  const height = SIGMA + GAP + STACK + FOOT;
  const chart = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${height}`,
    class: "push-chart",
    role: "img",
    "aria-label": label,
  });
  /** @param {number} value */
  const sigmaY = (value) => 4 + (1 - value) * (SIGMA - 6);
  chart.append(
    svg("line", { class: "push-cut", x1: LEFT, x2: WIDTH, y1: sigmaY(CUT_LINE), y2: sigmaY(CUT_LINE) }),
    svg("text", { class: "push-label", x: 0, y: sigmaY(1) + 6 }, "1"),
    svg("text", { class: "push-label", x: 0, y: sigmaY(CUT_LINE) + 2 }, ".1"),
    svg("path", { class: "push-sigma", d: pathOf(steps.map(x), Array.from(connection, sigmaY)) }),
  );
  chart.append(...stacks(history, x, SIGMA + GAP));
  const at = x(step);
  chart.append(
    svg("line", { class: "push-now", x1: at, x2: at, y1: 0, y2: SIGMA + GAP + STACK }),
    svg("text", { class: "push-label", x: LEFT, y: height - 3 }, "step 0"),
    svg("text", { class: "push-label push-end", x: WIDTH, y: height - 3 }, count(steps[steps.length - 1])),
  );
  return chart;
}

/**
 * A bar of parts for each step that tells them, its zero in the middle.
 *
 * @param {EntryHistory} history
 * @param {(step: number) => number} x
 * @param {number} top
 */
function stacks(history, x, top) {
  const { steps } = history;
  const told = pushesOver(history);
  const middle = top + STACK / 2;
  const made = [svg("line", { class: "push-zero", x1: LEFT, x2: WIDTH, y1: middle, y2: middle })];
  let most = 0;
  for (const pushes of told) {
    if (!pushes) continue;
    const [up, down] = [1, -1].map((way) => PARTS.reduce((sum, { name }) => sum + Math.max(0, way * pushes[name]), 0));
    most = Math.max(most, up, down);
  }
  if (!most) return made;
  made.push(
    svg("text", { class: "push-label", x: 0, y: top + 10 }, "+"),
    svg("text", { class: "push-label", x: 0, y: top + STACK - 2 }, "−"),
  );
  told.forEach((pushes, i) => {
    if (!pushes) return;
    const [before, at, after] = [steps[Math.max(0, i - 1)], steps[i], steps[Math.min(steps.length - 1, i + 1)]].map(x);
    const [left, right] = [(before + at) / 2, (at + after) / 2];
    const ends = { up: middle, down: middle };
    for (const { name, colour } of PARTS) {
      const size = (Math.abs(pushes[name]) / most) * (STACK / 2);
      if (size < 0.05) continue;
      const y = pushes[name] > 0 ? ends.up - size : ends.down;
      if (pushes[name] > 0) ends.up -= size;
      else ends.down += size;
      const bar = svg("rect", { x: left, y, width: Math.max(0.6, right - left - 0.3), height: size });
      bar.dataset.push = name;
      bar.style.fill = colour;
      made.push(bar);
    }
  });
  return made;
}
