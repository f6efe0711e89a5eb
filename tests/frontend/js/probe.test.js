import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Answers, nearest } from "../../../frontend/assets/lab/probe/answers.js";
import { Pinned } from "../../../frontend/assets/lab/probe/images.js";
import { PatchGrid } from "../../../frontend/assets/lab/probe/patch_grid.js";

const QUESTION = { run: "a-run", epoch: 0, step: 130, image: "AAAA", task: 1 };
const ANSWER = {
  told: { label: 3, share: 0.9 },
  blind: { label: 2, share: 0.4 },
  expert: [[0, 1, -1, 3]],
  expert_blind: [[0, 0, 0, 0]],
  gate: [[0.5, 0.6, 0.7, 0.8]],
  step: 141,
  known: [0, 100, 141],
};

test("the nearest known step is asked for, of two as near the earlier", () => {
  assert.equal(nearest([0, 100, 141], 130), 141);
  assert.equal(nearest([0, 100], 50), 0);
  assert.equal(nearest([], 50), -1);
});

test("what a state said is asked once, and known again at every step that is nearest to it", async () => {
  /** @type {string[]} */
  const asked = [];
  globalThis.fetch = /** @type {any} */ (
    async (/** @type {string} */ path) => {
      asked.push(path);
      return { ok: true, status: 200, headers: { get: () => "application/json" }, json: async () => ANSWER };
    }
  );
  const answers = new Answers();
  assert.equal(answers.remembered(QUESTION), null);
  await answers.ask(QUESTION);
  assert.deepEqual(asked, ["/api/runs/a-run/probe?epoch=0&step=130&task=1&image=AAAA"]);
  assert.equal(answers.remembered({ ...QUESTION, step: 5000 })?.step, 141);
  assert.equal(answers.remembered({ ...QUESTION, step: 90 }), null, "the state of step 100 was not asked");
  assert.deepEqual(answers.known(QUESTION), [0, 100, 141]);
});

test("eight images are pinned, a ninth is refused with the bound, and one that is let go makes place", () => {
  let released = 0;
  const pinned = new Pinned(() => (released += 1));
  const image = (/** @type {number} */ n) => ({ pixels: new Uint8Array(4), task: 0, name: `image ${n}` });
  for (let n = 0; n < 8; n += 1) assert.equal(pinned.add(image(n)), "");
  assert.equal(pinned.add(image(8)), "At most 8 images may be pinned. Found as many: let one go first.");
  pinned.show(
    2,
    ({ name }) => `says ${name}`,
    () => {},
  );
  const said = Array.from(pinned.list.querySelectorAll("li > span"), (each) => each.textContent);
  assert.deepEqual(
    said,
    [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `says image ${n}`),
  );
  /** @type {HTMLElement} */ (pinned.list.querySelector('[aria-label="Let go of image 2"]')).click();
  assert.equal(released, 1);
  assert.equal(pinned.add(image(8)), "");
  assert.deepEqual(
    pinned.images.map(({ name }) => name),
    [0, 1, 3, 4, 5, 6, 7, 8].map((n) => `image ${n}`),
  );
});

test("what is refused is a sentence and nothing is remembered", async () => {
  const refused = { error: "image must hold 784 pixels, 28 rows of 28. Found 3." };
  globalThis.fetch = /** @type {any} */ (
    async () => ({ ok: false, status: 422, headers: { get: () => "application/json" }, json: async () => refused })
  );
  const answers = new Answers();
  assert.deepEqual(await answers.ask(QUESTION), { answer: null, problem: refused.error });
  assert.equal(answers.remembered(QUESTION), null);
});

test("every patch has its expert's letter, and pointing at it points at the expert", () => {
  /** @type {number[]} */
  const pointed = [];
  const grid = new PatchGrid({ point: (expert) => pointed.push(expert), pin: () => {}, leave: () => {} });
  const [expert, blind, gate] = [ANSWER.expert[0], ANSWER.expert_blind[0], ANSWER.gate[0]];
  grid.show(new Uint8Array(4), 2, "an image", { expert, blind, gate, colour: () => "red" });
  const cells = Array.from(grid.root.querySelectorAll("button"));
  assert.deepEqual(
    cells.map((cell) => cell.textContent),
    ["E0", "E1", "none", "E3"],
  );
  assert.equal(cells[1].getAttribute("aria-label"), "Patch 1: E1, weight 0.60; without ID E0");
  cells[3].dispatchEvent(new Event("pointerenter"));
  assert.deepEqual(pointed, [3]);
});
