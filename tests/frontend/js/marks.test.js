import assert from "node:assert/strict";
import { test } from "node:test";

import "./page.js";
import { Marks, marksOf } from "../../../frontend/assets/lab/charts/marks.js";
import { eventInWords, inWords } from "../../../frontend/assets/lab/core/events.js";
import { Model } from "../../../frontend/assets/lab/core/model.js";
import { aHello, anEvent } from "./run.js";

const CHANGE = anEvent({ step: 5, data: { old: { lambda_conflict: 10 }, new: { lambda_conflict: 0 } } });
const PHASE = anEvent({
  kind: "phase",
  step: 9,
  text: "Layer 2: it broke.",
  data: { phase: "symmetry_broken", layer: 1 },
});

test("a change by a person, one by the controller and a phase are told apart", () => {
  const steered = anEvent({ ...CHANGE, step: 7, data: { ...CHANGE.data, by: "controller" } });
  assert.deepEqual(marksOf([CHANGE, steered, PHASE], 0), [
    { step: 5, label: "λ 10 → 0", by: "person", layer: null },
    { step: 7, label: "λ 10 → 0", by: "controller", layer: null },
    { step: 9, label: "symmetry broke", by: "phase", layer: 1 },
  ]);
});

test("what changed no control, what is of another epoch, and idle experts leave no mark", () => {
  const same = anEvent({ data: { old: { p_drop: 0.5 }, new: { p_drop: 0.5 } } });
  const seed = anEvent({ data: { old: { seed: 0 }, new: { seed: 1 } } });
  const earlier = anEvent({ ...CHANGE, epoch: -1 });
  const idle = anEvent({ kind: "phase", data: { phase: "idle", layer: 0 } });
  assert.deepEqual(marksOf([same, seed, earlier, idle], 0), []);
});

test("a phase that the page has no word for is called by the beginning of its sentence", () => {
  const [mark] = marksOf([anEvent({ kind: "phase", text: "Frozen: nothing crossed.", data: { phase: "frozen" } })], 0);
  assert.equal(mark.label, "Frozen");
});

test("only the newest sixty marks are drawn", () => {
  const many = Array.from({ length: 80 }, (_, step) => anEvent({ ...CHANGE, step }));
  const marks = marksOf(many, 0);
  assert.deepEqual([marks.length, marks[0].step], [60, 20]);
});

test("marks are made anew only when the model has other events", () => {
  const model = new Model();
  model.setHello(aHello({ events: [CHANGE] }));
  const marks = new Marks(model);
  const before = marks.all;
  assert.equal(marks.all, before);
  model.addEvent(PHASE);
  assert.equal(marks.all.length, 2);
});

test("a sentence of the server calls controls as the page does and groups its numbers", () => {
  assert.equal(inWords("lambda_conflict must be 0 to 100. Found 12345."), "λ must be 0 to 100. Found 12345.");
  assert.equal(inWords("at step 12345 of seed 20240"), "at step 12,345 of seed 20240");
  const refused = anEvent({ kind: "rejected", text: "run_until was refused: step must be 10 to 18720. Found 9." });
  assert.equal(eventInWords(refused), "Run until was refused: step must be 10 to 18,720. Found 9.");
  assert.equal(eventInWords(anEvent({ text: "pause at step 3" })), "Paused at step 3");
});
