import assert from "node:assert/strict";
import { test } from "node:test";

import { Store } from "../../../frontend/assets/lab/core/store.js";

const NAMES = ["step", "loss"];

/** Rows of [step, loss]. @param {...[number, number]} rows */
const table = (...rows) => ({ rows: rows.length, cols: 2, data: new Float64Array(rows.flat()) });

test("steps that are known already are left out, and a step that was skipped is counted as a gap", () => {
  const store = new Store();
  store.append(NAMES, table([1, 0.9], [2, 0.8]), false);
  store.append(NAMES, table([2, 7], [3, 0.7]), false);
  assert.equal(store.gaps, 0);
  store.append(NAMES, table([5, 0.5]), false);
  assert.equal(store.gaps, 1);
  assert.deepEqual([...store.get("step").x.slice(0, 4)], [1, 2, 3, 5]);
  assert.equal(store.lastStep, 5);
});

test("a snapshot may leave steps out", () => {
  const store = new Store();
  store.append(NAMES, table([1, 1], [11, 0.5]), true);
  assert.equal(store.gaps, 0);
});

test("a value that was not measured leaves no point", () => {
  const store = new Store();
  store.append(NAMES, table([1, NaN], [2, 0.5], [3, NaN]), false);
  const loss = store.get("loss");
  assert.deepEqual([loss.length, loss.last], [1, 0.5]);
  assert.deepEqual([loss.at(1), loss.at(2), loss.at(3)], [undefined, 0.5, 0.5]);
});

test("a point is the mean of the last so many steps, over every value measured in them", () => {
  const store = new Store();
  store.append(NAMES, table([1, 1], [2, 3], [3, 5], [4, 7]), false);
  const loss = store.get("loss");
  assert.deepEqual(loss.trailing(2), { xs: [1, 2, 3, 4], ys: [1, 2, 4, 6] });
  assert.deepEqual(loss.trailing(0).ys, [1, 3, 5, 7]);
});

test("early steps have a point each, late ones share one that is their mean", () => {
  const loss = new Store().get("loss");
  for (let step = 0; step < 100_000; step++) loss.push(step, step % 2);
  assert.deepEqual([...loss.x.slice(0, 200)], [...Array(200).keys()]);
  assert.ok(Math.abs(loss.y[loss.length - 2] - 0.5) < 0.01);
  assert.equal(loss.at(99_999), loss.y[loss.length - 1]);
});

test("a series grows with the logarithm of its steps and keeps its whole span", () => {
  const loss = new Store().get("loss");
  for (let step = 0; step < 100_000; step++) loss.push(step, step);
  assert.ok(loss.length < 2500);
  assert.deepEqual([loss.x[0], loss.x[loss.length - 1], loss.last], [0, 99_999, 99_999]);
  const steps = loss.x.slice(0, loss.length);
  assert.ok(steps.every((step, i) => i === 0 || step > steps[i - 1]));
});

test("what is cleared has no point of before", () => {
  const loss = new Store().get("loss");
  loss.push(1, 5);
  loss.clear();
  assert.deepEqual([loss.length, loss.last, loss.at(99)], [0, undefined, undefined]);
  loss.push(1, 7);
  assert.deepEqual([loss.length, loss.y[0]], [1, 7]);
});

test("a table that does not fit the names is refused with both numbers", () => {
  const wide = { rows: 1, cols: 3, data: new Float64Array(3) };
  assert.throws(() => new Store().append(NAMES, wide, false), /must have 2 columns\. Found 3\./);
});
