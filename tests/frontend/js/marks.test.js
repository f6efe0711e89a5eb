import assert from "node:assert/strict";
import { test } from "node:test";

import "./page.js";
import { marksOf } from "../../../frontend/assets/lab/charts/marks.js";
import { eventInWords, inWords } from "../../../frontend/assets/lab/core/events.js";
import { anEvent } from "./run.js";

const CHANGE = anEvent({ step: 5, data: { old: { lambda_conflict: 10 }, new: { lambda_conflict: 0 } } });
const PHASE = anEvent({ kind: "phase", step: 9, text: "Layer 2: it broke.", data: { phase: "breaks", layer: 1 } });

test("a change by a person, one by the controller and a phase are told apart, by their steps", () => {
  const steered = anEvent({ ...CHANGE, step: 12, data: { ...CHANGE.data, by: "controller" } });
  assert.deepEqual(marksOf([CHANGE, steered, PHASE], 1), [
    { step: 5, label: "λ 10 → 0", by: "person" },
    { step: 9, label: "breaks", by: "phase" },
    { step: 12, label: "λ 10 → 0", by: "controller" },
  ]);
});

test("what changed no control, phases of another layer, and idle experts leave no mark", () => {
  const same = anEvent({ data: { old: { p_drop: 0.5 }, new: { p_drop: 0.5 } } });
  const seed = anEvent({ data: { old: { seed: 0 }, new: { seed: 1 } } });
  const idle = anEvent({ kind: "phase", data: { phase: "idle", layer: 0 } });
  const even = anEvent({ kind: "phase", data: { phase: "even", layer: 0 } });
  assert.deepEqual(marksOf([same, seed, idle, even, PHASE], 0), []);
});

test("only the newest sixty marks are drawn", () => {
  const many = Array.from({ length: 80 }, (_, step) => anEvent({ ...CHANGE, step }));
  const marks = marksOf(many, 0);
  assert.deepEqual([marks.length, marks[0].step], [60, 20]);
});

test("a sentence of the server calls controls as the page does and groups its numbers", () => {
  assert.equal(inWords("lambda_conflict must be 0 to 100. Found 12345."), "λ must be 0 to 100. Found 12345.");
  assert.equal(inWords("at step 12345 of seed 20240"), "at step 12,345 of seed 20240");
  const refused = anEvent({ kind: "rejected", text: "run_until was refused: step must be 10 to 18720. Found 9." });
  assert.equal(eventInWords(refused), "Run until was refused: step must be 10 to 18,720. Found 9.");
  assert.equal(eventInWords(anEvent({ text: "pause at step 3" })), "Paused at step 3");
});
