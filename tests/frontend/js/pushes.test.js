import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { cutSince, pushesOf, pushesOver, verdict } from "../../../frontend/assets/lab/why/pushes.js";
import { pushChart } from "../../../frontend/assets/lab/why/push_chart.js";

const HISTORY = {
  steps: [0, 10, 50, 100],
  connection: [0.5, 0.3, 0.05, 0.02],
  gradient: [NaN, 4, 8, 100],
  task: [NaN, -2, -1, 0],
  conflict: [NaN, 6, 8.5, 100],
  l1: [NaN, 0, 0.5, 0],
  binarize: [NaN, 0, 0, 0],
  untold: null,
};

test("a frame's rows are pushes with the sign turned, and the task's is what the others leave", () => {
  const data = new Float32Array(4 * 2 * 3);
  [0.5, 0.25, -0.125, 0.0625].forEach((value, row) => (data[(row * 2 + 1) * 3 + 2] = value));
  const pushes = pushesOf({ rows: 4, cols: 2, data }, 1, 2);
  assert.deepEqual(pushes, { all: -0.5, task: -0.3125, conflict: -0.25, l1: 0.125, binarize: -0.0625 });
  assert.equal(pushesOf(undefined, 0, 0), null);
  assert.equal(pushesOf({ rows: 4, cols: 2, data: new Float32Array(24).fill(NaN) }, 0, 0), null);
});

test("of a history a step without values has no pushes, and null counts as none", () => {
  const told = pushesOver(/** @type {any} */ ({ ...HISTORY, gradient: [null, 4, 8, 100] }));
  assert.equal(told[0], null);
  assert.deepEqual(told[1], { all: -4, task: 2, conflict: -6, l1: -0, binarize: -0 });
});

test("a link has been cut since it last went below .1 and stayed there", () => {
  assert.equal(cutSince(HISTORY.connection, 4), 2);
  assert.equal(cutSince(HISTORY.connection, 2), -1);
  assert.equal(cutSince([0.01, 0.02], 2), 0);
  assert.equal(cutSince([0.01, 0.5, 0.01], 3), 2);
});

test("the sentence says when it was cut and whose push it was until then", () => {
  assert.equal(
    verdict(HISTORY, 1000),
    "Cut between step 10 and 50. Conflict gave 97 % of the push down, L1 3 % (seen at 2 steps).",
  );
  assert.equal(
    verdict(HISTORY, 10),
    "Not cut: σ(A) .30 at step 10. Conflict gave 100 % of the push down (seen at one step).",
  );
  assert.equal(verdict({ ...HISTORY, gradient: HISTORY.steps.map(() => NaN) }, 1000), "Cut between step 10 and 50.");
});

test("the chart has a bar for each part of each step that tells one, in words too", () => {
  const chart = pushChart(HISTORY, 50, "in words");
  const bars = Array.from(chart.querySelectorAll("[data-push]"), (bar) => /** @type {any} */ (bar).dataset.push);
  assert.deepEqual(bars, ["task", "conflict", "task", "conflict", "l1", "conflict"]);
  assert.equal(chart.getAttribute("aria-label"), "in words");
});
