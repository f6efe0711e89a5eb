import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { ComparedRuns } from "../../../frontend/assets/lab/twin/compared_runs.js";

/** @type {string[]} */
const asked = [];

globalThis.fetch = /** @type {any} */ (
  async (/** @type {string} */ path) => {
    asked.push(path);
    const found = path === "/api/runs" ? [] : { recorded: [{ name: "map-1.0a", controls: {} }], refused: [] };
    return new Response(JSON.stringify(found), { headers: { "Content-Type": "application/json" } });
  }
);

test("cells of a map, which no list of recorded runs has, are asked for by name", async () => {
  const view = /** @type {any} */ ({ stream: { runId: "recorded:map-1.0a" } });
  const compared = new ComparedRuns(view, { changed: () => {}, missing: () => {} });
  await compared.look(true, ["recorded:map-1.0b"]);
  assert.deepEqual(asked, ["/api/runs", "/api/recorded?also=map-1.0a%2Cmap-1.0b"]);
  assert.deepEqual(
    compared.runs.map(({ run_id }) => run_id),
    ["recorded:map-1.0a"],
  );
});
