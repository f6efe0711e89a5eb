import assert from "node:assert/strict";
import { test } from "node:test";

import "./page.js";
import { Model } from "../../../frontend/assets/lab/core/model.js";
import { aHello, aRun } from "./run.js";

/** @param {number} pDrop */
function controls(pDrop) {
  const values = { p_drop: pDrop, lambda_conflict: 10, lr_ratio: 3 };
  return { requested: values, applied: values, applied_step: { p_drop: 7 } };
}

function aModel() {
  const model = new Model();
  model.setHello(aHello({ run: aRun({ revision: 4 }) }));
  return model;
}

test("an answer is the truth for a run message that was sent before it", () => {
  const model = aModel();
  model.answered("a-run", { status: "applied", revision: 5, new: { p_drop: 0.9 }, applied_step: 7 });
  model.setRun(aRun({ revision: 4, step: 8 }));
  assert.equal(model.run?.step, 8);
  assert.equal(model.run.revision, 5);
  assert.equal(model.run.controls.applied.p_drop, 0.9);
  assert.equal(model.run.controls.applied_step.p_drop, 7);
});

test("a run message of the same or a higher revision is the truth", () => {
  const model = aModel();
  model.setRun(aRun({ revision: 5, controls: controls(0.2) }));
  assert.equal(model.run?.controls.applied.p_drop, 0.2);
  model.answered("a-run", { status: "applied", revision: 4, new: { p_drop: 0.9 }, applied_step: 7 });
  assert.equal(model.run?.controls.applied.p_drop, 0.2);
});

test("a change that came too late shows the controls of the one before it", () => {
  const model = aModel();
  model.answered("a-run", { error: "stale", revision: 6, controls: controls(0.1) });
  assert.deepEqual([model.run?.revision, model.run?.controls.applied.p_drop], [6, 0.1]);
});

test("what is said of another run or of a new epoch does not meet the old one's revision", () => {
  const model = aModel();
  model.answered("another", { status: "applied", revision: 9, new: { p_drop: 0.9 }, applied_step: 7 });
  assert.equal(model.run?.revision, 4);
  model.setRun(aRun({ epoch: 1, revision: 2, controls: controls(0.3) }));
  assert.deepEqual([model.run?.revision, model.run?.controls.applied.p_drop], [2, 0.3]);
});

test("whether a model has a topology is what hello says, else what its kind says", () => {
  const model = new Model();
  assert.equal(model.hasTopology, true);
  model.setHello(aHello({ topology: false }));
  assert.equal(model.hasTopology, false);
  model.setHello(aHello({ topology: undefined, architecture: "dense", experts: 0 }));
  assert.deepEqual([model.hasTopology, model.hasRouting], [false, false]);
});
