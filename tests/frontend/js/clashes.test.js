import assert from "node:assert/strict";
import { test } from "node:test";

import { Clashes, TOPS, WINDOW_STEPS, topOf } from "../../../frontend/assets/lab/core/clashes.js";

/** @param {...number} values */
const array = (...values) => ({ rows: 1, cols: values.length, data: Float32Array.from(values) });

test("the mean is over what was known in the last steps", () => {
  const clashes = new Clashes();
  clashes.add({ epoch: 0, step: 1 }, array(0.25, NaN));
  clashes.add({ epoch: 0, step: 3 }, array(0.75, 0.5));
  assert.deepEqual([...clashes.mean], [0.5, 0.5]);
  assert.equal(clashes.steps, 3);
});

test("step 0, before which there is no gradient, is none of the steps told", () => {
  const clashes = new Clashes();
  clashes.add({ epoch: 0, step: 0 }, array(NaN));
  assert.equal(clashes.steps, 0);
  clashes.add({ epoch: 0, step: 1 }, array(0.5));
  clashes.add({ epoch: 0, step: 71 }, array(0.5));
  assert.equal(clashes.steps, 71);
});

test("what is older than the window is forgotten", () => {
  const clashes = new Clashes();
  clashes.add({ epoch: 0, step: 1 }, array(1));
  clashes.add({ epoch: 0, step: WINDOW_STEPS }, array(0.5));
  assert.equal(clashes.mean[0], 0.75);
  clashes.add({ epoch: 0, step: WINDOW_STEPS + 1 }, array(0.5));
  assert.equal(clashes.mean[0], 0.5);
});

test("the same frame counts once, and another epoch begins anew", () => {
  const clashes = new Clashes();
  clashes.add({ epoch: 0, step: 1 }, array(1));
  clashes.add({ epoch: 0, step: 2 }, array(0));
  clashes.add({ epoch: 0, step: 2 }, array(0));
  assert.equal(clashes.mean[0], 0.5);
  clashes.add({ epoch: 1, step: 1 }, array(0.25));
  assert.equal(clashes.mean[0], 0.25);
});

test("the top of the scale moves in stated steps, up at once and down with slack", () => {
  assert.equal(topOf([0.009], 0.01), 0.01);
  assert.equal(topOf([0.03], 0.01), 0.05);
  assert.equal(topOf([0.019], 0.05), 0.05);
  assert.equal(topOf([0.01], 0.05), 0.01);
  assert.equal(topOf([NaN], 0.2), 0.2);
  for (const value of [0.001, 0.04, 0.3, 1]) assert.ok(TOPS.includes(topOf([value], 0.05)));
});
