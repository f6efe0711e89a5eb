import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { Lesion, partName, points } from "../../../frontend/assets/lab/why/lesion.js";
import { aHello } from "./run.js";

const ANSWER = {
  layer: 0,
  expert: 3,
  block: null,
  dims: 90,
  before: [[0.9, null], [0.8]],
  after: [[0.4, null], [0.8]],
  before_mean: [0.9, 0.8],
  after_mean: [0.4, 0.8],
  seconds: 1,
  step: 141,
};
const OF = { run: "a-run", epoch: 0, step: 150, layer: 0, expert: 3, block: null, hello: aHello() };

/** @type {string[]} */
const asked = [];
globalThis.fetch = /** @type {any} */ (
  async (/** @type {string} */ path) => {
    asked.push(path);
    return { ok: true, status: 200, headers: { get: () => "application/json" }, json: async () => ANSWER };
  }
);
const soon = () => new Promise((resolve) => setTimeout(resolve, 0));

/** @param {Lesion} lesion @param {string} name */
const press = (lesion, name) => /** @type {HTMLElement} */ (lesion.root.querySelector(`[data-lesion=${name}]`)).click();

test("a part has a name and a difference its sign", () => {
  assert.equal(partName({ expert: 3, block: null }), "E3");
  assert.equal(partName({ expert: 3, block: 5 }), "E3 to B5");
  const pairs = [
    [0.9, 0.396],
    [0.8, 0.82],
    [0.8, 0.8001],
  ];
  assert.deepEqual(
    pairs.map(([before, after]) => points(before, after)),
    ["−50.4", "+2.0", "0"],
  );
  assert.equal(points(0.8264, 0.8236), "−0.2", "what a person gets who subtracts 82.6 and 82.4");
});

test("what is muted is told task by task, and a click undoes it", async () => {
  const lesion = new Lesion();
  lesion.offer(OF);
  press(lesion, "mute");
  await soon();
  assert.equal(asked.at(-1), "/api/runs/a-run/lesion/0/3?epoch=0&step=150");
  const rows = Array.from(lesion.root.querySelectorAll("table tbody tr"), (row) => row.textContent);
  assert.deepEqual(rows.slice(0, 2), ["MNIST90.0 %40.0 %−50.0", "Kana80.0 %80.0 %0"]);
  assert.equal(rows[3], "MNIST 1no images");
  lesion.offer({ ...OF, step: 160 });
  assert.ok(lesion.root.querySelector("table"), "a further step of the same run takes nothing away");
  press(lesion, "undo");
  assert.equal(lesion.root.querySelector("table"), null);
});

test("a random one is another draw each time, and another target begins anew", async () => {
  const lesion = new Lesion();
  lesion.offer({ ...OF, block: 5 });
  press(lesion, "random");
  await soon();
  press(lesion, "random");
  await soon();
  assert.deepEqual(
    asked.slice(-2).map((path) => path.split("?")[1]),
    ["epoch=0&step=150&block=5&draw=1", "epoch=0&step=150&block=5&draw=2"],
  );
  lesion.offer({ ...OF, block: 6 });
  assert.equal(lesion.root.querySelector("table"), null);
  lesion.offer(null);
  assert.equal(lesion.root.hidden, true);
});
