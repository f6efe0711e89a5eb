import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { freshPage } from "./page.js";
import { aHello, anEvent, frameBytes } from "./run.js";
import { editsOf, recipeInWords, recipeOf, recipeOfFile } from "../../../frontend/assets/lab/core/recipe.js";

/** @import { RunConfig } from "../../../frontend/assets/lab/core/messages.js" */
/** @import { EventData } from "../../../frontend/assets/lab/core/told.js" */

freshPage();

const RECIPE = {
  config: /** @type {any} */ ({ preset: "live", train: { seed: 3 }, controls: { lambda_conflict: 2 } }),
  edits: [{ step: 1500, controls: { lambda_conflict: 0 } }],
};
const USUAL = /** @type {RunConfig} */ ({ ...aHello({}).config, controls: { lambda_conflict: 10 } });

/** @param {number} step @param {Partial<EventData>} data */
const set = (step, data) => anEvent({ step, data: { command: { type: "set" }, ...data } });

/** @param {string} name @param {BlobPart} content */
const file = (name, content) => new File([content], name);

test("a recipe is told in one sentence: preset, seed, what is otherwise, its changes and where it pauses", () => {
  assert.equal(
    recipeInWords(RECIPE, { pauseAt: 3200, usual: USUAL }),
    "Trains live, seed 3, with λ 2, from step 0 again; it makes its change at the same steps: λ 0 after step 1,500; " +
      "it pauses at step 3,200, the moment of the link.",
  );
  assert.match(recipeInWords(RECIPE, { seed: 4 }), /^Trains live, seed 4, from step 0: another seed, so another run;/);
  const many = { ...RECIPE, edits: [1, 2, 3, 4, 5, 6].map((step) => ({ step, controls: { p_drop: 0 } })) };
  assert.match(recipeInWords(many), /its 6 changes at .*p_drop 0 after step 4 and 2 more\.$/);
});

test("edits are those of people and of the recipe, each once, and none of the controller", () => {
  const events = [
    set(10, { new: { p_drop: 0.1 }, by: "recipe" }),
    set(15, { new: { p_drop: 0.3 }, by: "controller" }),
    set(10, { new: { p_drop: 0.1 }, by: "recipe" }),
    set(20, { new: { p_drop: 0.2 } }),
    anEvent({ kind: "status", step: 30, data: { controls: { l1: 0 } } }),
    set(40, { new: { p_drop: 0.2 }, by: "person" }),
  ];
  assert.deepEqual(
    editsOf(events).map(({ step, controls }) => [step, controls]),
    [
      [10, { p_drop: 0.1 }],
      [20, { p_drop: 0.2 }],
      [30, { l1: 0 }],
      [40, { p_drop: 0.2 }],
    ],
  );
});

test("a file is read as a recipe or as a recorded run", async () => {
  assert.deepEqual(await recipeOfFile(file("mine.json", JSON.stringify(RECIPE))), RECIPE);
  const content = frameBytes({ recipe: JSON.stringify(RECIPE), scalar_names: "[]" }, [
    ["steps", "I32", [1], [0]],
    ["connection", "U8", [1, 1, 1, 1], [128]],
    ["scalars", "I32", [1, 0], []],
  ]);
  assert.deepEqual(await recipeOfFile(file("mine.recording", deflateSync(new Uint8Array(content)))), RECIPE);
});

test("what is no recipe is one sentence that names the file, the place and the bound", async () => {
  const wrong = { ...RECIPE, edits: [RECIPE.edits[0], { step: 1.5, controls: {} }] };
  /** @type {[string, BlobPart, string][]} */
  const cases = [
    ["a.json", "{", "“a.json” must be JSON. Found what cannot be read."],
    ["a.json", "[1]", "“a.json” must be an object of config and edits. Found something else."],
    ["a.json", JSON.stringify(wrong), "Edit 2 of “a.json” must have a whole step and controls. Found something else."],
    ["a.json", " ".repeat(16_001), "“a.json” must have at most 16000 bytes. Found 16001."],
    ["a.recording", "x", "“a.recording” must be a recorded run, or a recipe as .json. Found what cannot be read."],
    [
      "a.recording",
      deflateSync("no message").subarray(0, 9),
      "“a.recording” must be a recorded run, or a recipe as .json. Found what cannot be read.",
    ],
  ];
  for (const [name, content, sentence] of cases) assert.equal(await recipeOfFile(file(name, content)), sentence);
  assert.equal(recipeOf("x".repeat(1501)), "The link's recipe must have at most 1500 characters. Found 1501.");
  assert.equal(recipeOf("{"), "The link's recipe must be JSON. Found what cannot be read.");
});
