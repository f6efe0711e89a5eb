import assert from "node:assert/strict";
import { test } from "node:test";

import { countLinks, meaning, sentence } from "../../../frontend/assets/lab/core/story.js";

/** @param {number[][]} rows */
const told = (rows) =>
  sentence(countLinks({ rows: rows.length, cols: rows[0].length, data: Float32Array.from(rows.flat()) }));

/** Eight experts: own blocks at a value, the others at another. @param {number} own @param {number} other */
const eight = (own, other) =>
  Array.from({ length: 8 }, (_, e) => Array.from({ length: 8 }, (__, p) => (e === p ? own : other)));

test("links that lie close together are even", () => {
  assert.equal(told(eight(0.5, 0.49)), "None of 64 links is cut; all are alike, within .01.");
});

test("links that differ, none of them cut, are said to differ", () => {
  assert.equal(told(eight(0.9, 0.2)), "None of 64 links is cut; they differ by up to .70.");
});

test("below the counts stands what they mean, before anything is cut, too", () => {
  /** @param {number} own @param {number} other */
  const meant = (own, other) =>
    meaning(countLinks({ rows: 8, cols: 8, data: Float32Array.from(eight(own, other).flat()) }));
  assert.match(meant(0.5, 0.49), /As yet each borrows all of them\.$/);
  assert.match(meant(0.9, 0.2), /They begin to prefer some\.$/);
  assert.match(meant(0.9, 0.05), /Clashes cut links\.$/);
});

test("cut links, own blocks and crossing links are counted", () => {
  const rows = eight(0.6, 0.05);
  for (const [e, p] of [
    [0, 5],
    [2, 6],
    [3, 5],
    [5, 0],
    [5, 3],
    [6, 2],
  ]) {
    rows[e][p] = 0.3;
  }
  assert.equal(told(rows), "50 of 64 links are cut; 8 experts keep their own block, 6 links cross.");
});

test("one is told in the singular, none in words", () => {
  assert.equal(
    told([
      [0.9, 0.05],
      [0.2, 0.01],
    ]),
    "2 of 4 links are cut; 1 expert keeps its own block, 1 link crosses.",
  );
  assert.equal(
    told([
      [0.9, 0.05],
      [0.2, 0.9],
    ]),
    "1 of 4 links is cut; 2 experts keep their own block, 1 link crosses.",
  );
  assert.equal(told(eight(0.6, 0.05)), "56 of 64 links are cut; 8 experts keep their own block, none crosses.");
  assert.equal(told(eight(0.05, 0.3)), "8 of 64 links are cut; no expert keeps its own block, 56 links cross.");
});

test("without an own block for every expert only what is left is counted", () => {
  assert.equal(told([[0.9, 0.05, 0.02]]), "2 of 3 links are cut; 1 link is left.");
});

test("the sentence says that all are cut, and never judges", () => {
  assert.equal(told(eight(0.01, 0.02)), "All 64 links are cut.");
  for (const own of [0.05, 0.5, 0.95]) {
    for (const other of [0.05, 0.5, 0.95]) assert.doesNotMatch(told(eight(own, other)), /oligarch/);
  }
});

test("a link at exactly .1 is not cut", () => {
  assert.equal(countLinks({ rows: 1, cols: 2, data: Float64Array.of(0.1, 0.0999) }).cut, 1);
});
