import assert from "node:assert/strict";
import { test } from "node:test";

import { freshPage, the } from "./page.js";
import { markup } from "./view.js";
import { Parts } from "../../../frontend/assets/lab/core/parts.js";
import { DataChoice, nameOf } from "../../../frontend/assets/lab/controls/data_choice.js";

/** @import { OwnSetInfo } from "../../../frontend/assets/lab/core/messages.js" */

const soon = () => new Promise((done) => setTimeout(done, 20));

/** @type {OwnSetInfo} */
const SHAPES = {
  name: "shapes",
  reference: "shapes@0123456789abcdef",
  made_of: "made of dots, lines",
  tasks: [{ name: "dots", class_names: ["few", "many"], train: [8, 12], test: [2, 3] }],
};
const PIXELS = Buffer.from(new Uint8Array(28 * 28)).toString("base64");

/** @param {Record<string, [number, object]>} answers by method and path */
function choice(answers) {
  freshPage(markup("a"));
  Object.assign(globalThis, {
    fetch: async (/** @type {string} */ path, /** @type {RequestInit} */ { method = "GET" } = {}) => {
      const [status, body] = answers[`${method} ${path}`] ?? [404, { error: `There is no ${path}.` }];
      return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
    },
  });
  return new DataChoice(new Parts(the("#a")), () => 4);
}

const LISTED = { datasets: [SHAPES], sources: ["My shapes"], refused: [] };
const select = () => /** @type {HTMLSelectElement} */ (the('[data-part="data"]'));
const note = () => the('[data-part="data-note"]').textContent;

test("a set is named after its source", () => {
  assert.deepEqual(["My shapes", "two.npz", "7 things", "—", "x".repeat(40)].map(nameOf), [
    "my-shapes",
    "two",
    "things",
    "own",
    "x".repeat(32),
  ]);
});

test("a set that is chosen shows its images and the balance of its classes, and is what the run learns", async () => {
  const shown = { ...SHAPES, images: [{ task: 0, label: 1, pixels: PIXELS }] };
  const data = choice({ "GET /api/datasets": [200, LISTED], "GET /api/datasets/shapes": [200, shown] });
  await data.open();
  assert.equal(data.dataset, null);
  select().value = "shapes";
  select().dispatchEvent(new Event("change"));
  await soon();
  const text = the(".data-task").textContent ?? "";
  assert.match(text, /dots 20 to train on, 5 to test/);
  assert.match(text, /few 8, many 12; from 8 to 12 a class/);
  assert.equal(the(".data-task canvas").getAttribute("aria-label"), "dots: many");
  assert.equal(data.dataset, "shapes");
});

test("a source that cannot be read is one sentence, and the built-in sets are chosen again", async () => {
  const refused = { error: "My shapes/dots/few/03.png must be an image: PNG. Found something else." };
  const data = choice({ "GET /api/datasets": [200, LISTED], "POST /api/datasets": [422, refused] });
  await data.open();
  select().value = "read:My shapes";
  select().dispatchEvent(new Event("change"));
  await soon();
  assert.deepEqual([note(), data.dataset], [refused.error, null]);
});

test("a recipe's data that are not here, or are another, are named", async () => {
  const data = choice({ "GET /api/datasets": [200, LISTED] });
  await data.open("letters@00", true);
  assert.equal(note(), "The recipe wants the data set letters@00: it is not here.");
  await data.open("shapes@00", true);
  assert.equal(note(), `The recipe wants the data set shapes@00: here is ${SHAPES.reference}, another one.`);
  assert.ok(select().disabled);
});
