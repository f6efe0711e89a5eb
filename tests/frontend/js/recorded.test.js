import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { drawingOf, freshPage, the } from "./page.js";
import { Socket, aHello, aRun, anEvent, frameBytes } from "./run.js";
import { markup } from "./view.js";
import { buildColours } from "../../../frontend/assets/lab/core/colours.js";
import { linkedRun, recordedId, recordedName, runInLink } from "../../../frontend/assets/lab/core/recorded.js";
import { RunView } from "../../../frontend/assets/lab/run_view.js";

const RUN = recordedId("first");
const HELLO = aHello({
  run: aRun({ run_id: RUN, name: "first", status: "finished", step: 400, total_steps: 400 }),
  scalar_names: ["step", "task_loss", "layer0/alpha_sparsity"],
  events: [anEvent({ kind: "phase", run: RUN, step: 100, data: { phase: "cuts", layer: 0 }, text: "Cuts." })],
});

/** @param {string} kind @param {number} step @param {number} value of every sigma(A) */
const picture = (kind, step, value) =>
  frameBytes({ run: RUN, kind, seq: "1", after_seq: "0", step: String(step) }, [
    ["layer0/connection", "F32", [2, 2], [value, value, value, value]],
    ["layer1/connection", "F32", [2, 2], [value, value, value, value]],
    ["scalars", "F32", [2, 3], [0, 2.5, 0, 400, 0.5, 0.75]],
  ]);

/** What the server says at a path: an object, or bytes. @type {Record<string, unknown>} */
let answers = {};
/** What was posted. @type {any[]} */
let posted = [];
/** @type {RunView} */
let view;
/** @type {Record<string, string | null>} */
let link = {};

beforeEach(() => {
  Socket.opened = [];
  posted = [];
  link = {};
  answers = {
    "/api/runs": [],
    "/api/presets": [],
    "/claims/headlines.json": { headlines: [] },
    "/api/recorded": { recorded: [], refused: [] },
    "/api/recorded/first/hello": HELLO,
    "/api/recorded/first/snapshot": picture("snapshot", 400, 0.25),
    "/api/recorded/first/moments/0/90": picture("frame", 100, 0.75),
  };
  Object.assign(globalThis, {
    WebSocket: Socket,
    fetch: async (/** @type {string} */ path, /** @type {RequestInit} */ { method = "GET", body } = {}) => {
      if (method === "POST") {
        posted.push([path, JSON.parse(String(body))]);
        const made = JSON.stringify(aRun({ run_id: "new" }));
        return new Response(made, { status: 201, headers: { "Content-Type": "application/json" } });
      }
      const known = answers[path];
      if (known instanceof ArrayBuffer) return new Response(known);
      const said = known ?? { error: "There is no recorded run 'gone'. The nearest is first." };
      const headers = { "Content-Type": "application/json" };
      return new Response(JSON.stringify(said), { status: known ? 200 : 404, headers });
    },
  });
  freshPage(markup("a"));
  buildColours();
  view = new RunView(the("#a"), { addressed: (changes) => Object.assign(link, changes), titled: () => {} });
});

afterEach(() => view.close());

const soon = () => new Promise((done) => setTimeout(done, 20));

async function opened() {
  view.open(RUN);
  await soon();
  view.draw(0);
  view.refresh();
}

const shown = () => drawingOf(the('[data-picture="topology"] canvas')).texts;

test("a link names a recorded run apart from a run of the server", () => {
  assert.equal(linkedRun({ recorded: "first" }), RUN);
  assert.equal(linkedRun({ run: "a-run" }), "a-run");
  assert.deepEqual(runInLink(RUN), { run: null, recorded: "first" });
  assert.deepEqual(runInLink("a-run"), { run: "a-run", recorded: null });
  assert.equal(recordedName("a-run"), null);
});

test("a recorded run is shown from what it holds, and no socket is opened", async () => {
  await opened();
  assert.equal(Socket.opened.length, 0);
  assert.ok(shown().includes(".25"));
  assert.equal(the('[data-part="chip-status"]').textContent, "Recordedstep 400 of 400");
  assert.equal(the('[data-part="chip-model"]').textContent, "first");
  assert.equal(the('[data-part="story"]').textContent, "None of 4 links is cut; all are alike, within .00.");
  assert.deepEqual([link.recorded, link.run], ["first", null]);
  assert.equal(view.model.store.get("task_loss").last, 0.5);
});

test("what a recorded run does not hold is absent, with one sentence", async () => {
  await opened();
  for (const name of ["routing", "conflict", "backbone"]) assert.ok(the(`[data-picture="${name}"]`).hidden);
  assert.ok(!the('[data-picture="topology"]').hidden);
  assert.ok(!the(".not-recorded").hidden);
  assert.ok([...document.querySelectorAll(".twin-lenses, [data-lens]")].length > 0);
});

test("looking back shows the picture nearest to the step, and what is told of it", async () => {
  await opened();
  await view.scrubber.seekStep(90);
  assert.ok(shown().includes(".75"));
  assert.equal(view.scrubber.pinned?.step, 100);
});

test("a run from its settings is asked for, and the page goes to it once it is started", async () => {
  await opened();
  const button = the('[data-part="run-pause"]');
  assert.ok(!(/** @type {HTMLButtonElement} */ (button).disabled));
  button.click();
  await soon();
  assert.deepEqual(posted, []);
  assert.ok(/** @type {HTMLDialogElement} */ (the('[data-part="start-dialog"]')).open);
  assert.match(the('[data-part="preset-note"]').textContent ?? "", /^Trains live, seed 0, from step 0 again\.$/);
  the('[data-part="new-run"]').click();
  await soon();
  assert.deepEqual(posted, [["/api/runs", { config: HELLO.config, seed: 0, edits: [] }]]);
  assert.match(Socket.opened[0].url, /\/ws\/runs\/new$/);
  assert.deepEqual([link.recorded, link.run], [null, "new"]);
});

test("the key that runs or pauses starts nothing of a recorded run", async () => {
  await opened();
  view.controls.transport.runOrPause();
  view.controls.transport.step();
  await soon();
  assert.deepEqual(posted, []);
  assert.equal(the('[data-part="transport-note"]').textContent, "A recorded run: it is looked at, and does not train.");
});

test("its file is taken away, and no steps that it does not have", async () => {
  await opened();
  const links = [...document.querySelectorAll('[data-part="take"] a')].map((each) => each.getAttribute("href"));
  assert.deepEqual(links, ["/api/recorded/first/recording", "/api/recorded/first/page"]);
});

test("a link to none says so with the nearest", async () => {
  await view.openLinked(recordedId("gone"));
  assert.match(the('[data-part="notice"]').textContent ?? "", /There is no recorded run 'gone'. The nearest is first./);
});
