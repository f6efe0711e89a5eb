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

test("means end at the step looked back at", () => {
  const store = new Store();
  store.append(NAMES, table([1, 1], [2, 3], [3, 5], [4, 7]), false);
  const loss = store.get("loss");
  assert.deepEqual(loss.means(2, Infinity), { xs: [2, 4], ys: [2, 6] });
  assert.deepEqual(loss.means(2, 2), { xs: [1, 2], ys: [1, 3] });
});

test("a series of any length takes a bounded amount of memory and keeps its whole span", () => {
  const store = new Store();
  const loss = store.get("loss");
  for (let step = 0; step < 100_000; step++) loss.push(step, step);
  assert.ok(loss.length <= 4096);
  assert.ok(loss.length > 2048);
  assert.equal(loss.last, 99_999);
  assert.ok(loss.x[loss.length - 1] >= 99_999 - loss.stride);
  assert.ok(loss.x[0] < loss.stride * 2);
  const steps = loss.x.slice(0, loss.length);
  assert.ok(steps.every((step, i) => i === 0 || step > steps[i - 1]));
});

test("a table that does not fit the names is refused with both numbers", () => {
  const wide = { rows: 1, cols: 3, data: new Float64Array(3) };
  assert.throws(() => new Store().append(NAMES, wide, false), /must have 2 columns\. Found 3\./);
});
