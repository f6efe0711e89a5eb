import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { written } from "../../../frontend/assets/lab/core/pixels.js";
import { aboutExpert, heldOfBlocks } from "../../../frontend/assets/lab/why/about_expert.js";
import { aboutLink } from "../../../frontend/assets/lab/why/about_link.js";
import { aHello } from "./run.js";

const HELLO = aHello({ dims: 8, partitions: 2 });
const LAYER = {
  subspace: { rows: 2, cols: 1, data: new Uint8Array([0b11100000, 0b10011110]) },
  overlap: { rows: 2, cols: 2, data: new Float32Array([1, 0.5, 0.5, 1]) },
  routing: { rows: 2, cols: 2, data: new Float32Array([0.25, 0.75, 0.5, 0.5]) },
};

test("an expert's dimensions are counted block by block", () => {
  assert.deepEqual(heldOfBlocks(LAYER, 0, HELLO), [3, 0]);
  assert.deepEqual(heldOfBlocks(LAYER, 1, HELLO), [2, 3]);
});

test("an expert is told by dimensions, sharing, tasks and its surest patches", () => {
  const surest = { patches: [], images: 300, step: 4 };
  const text = aboutExpert({ layer: LAYER, e: 1, hello: HELLO, surest, problem: "" })
    .map((each) => each.textContent)
    .join(" ");
  assert.match(text, /Dimensions: 3 of B1, 2 of B0\. Shares 50 % with E0\./);
  assert.match(text, /MNIST75 %/);
  assert.match(text, /It takes no patch of 300 test images\./);
});

test("a link without pushes in the frame shown says so, and one with them shows the sum", () => {
  const history = { steps: [0, 1], connection: [0.5, 0.4], ...lists(), untold: null };
  const asked = { history, problem: "", expert: 0, block: 0, step: 1 };
  const without = aboutLink({ ...asked, gradient: undefined });
  assert.match(without[without.length - 1].textContent ?? "", /nothing pushed yet/);
  const gradient = { rows: 4, cols: 1, data: new Float32Array([0.5, 0.25, 0, 0]) };
  const rows = aboutLink({ ...asked, gradient }).flatMap((each) => Array.from(each.querySelectorAll("td")));
  assert.deepEqual(
    rows.map((cell) => cell.textContent),
    ["−2.50e-1", "−2.50e-1", "0", "0", "−5.00e-1"],
  );
});

test("pixels travel in a link's letters", () => {
  assert.equal(written([251, 255, 0]), "-_8A");
});

function lists() {
  const none = [NaN, 1];
  return { gradient: none, task: none, conflict: [NaN, 0], l1: [NaN, 0], binarize: [NaN, 0] };
}
