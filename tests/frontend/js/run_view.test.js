import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { drawingOf, freshPage, the } from "./page.js";
import { Socket, aHello, aRun, anEvent, frameBytes } from "./run.js";
import { markup } from "./view.js";
import { marksOf } from "../../../frontend/assets/lab/charts/marks.js";
import { buildColours } from "../../../frontend/assets/lab/core/colours.js";
import { RunView } from "../../../frontend/assets/lab/run_view.js";

/** What was asked of the server, as "METHOD path". @type {string[]} */
const asked = [];
/** What was sent with it, where something was. @type {string[]} */
const bodies = [];
/** What the server says at a path; 404 elsewhere. @type {Record<string, unknown>} */
let answers = {};
/** @type {RunView[]} */
let views = [];

beforeEach(() => {
  asked.length = 0;
  views = [];
  Socket.opened = [];
  answers = { "/api/runs": [], "/api/presets": [], "/claims/headlines.json": { headlines: [] } };
  Object.assign(globalThis, {
    WebSocket: Socket,
    fetch: async (/** @type {string} */ path, /** @type {RequestInit} */ { method = "GET", body: sent } = {}) => {
      asked.push(`${method} ${path}`);
      if (sent) bodies.push(String(sent));
      const body = JSON.stringify(answers[path] ?? { error: "There is no such thing." });
      const headers = { "Content-Type": "application/json" };
      return new Response(body, { status: path in answers ? 200 : 404, headers });
    },
  });
  freshPage(markup("a") + markup("b"));
  buildColours();
});

afterEach(() => {
  for (const view of views) view.close();
});

/** @param {string} id @param {ConstructorParameters<typeof RunView>[1]} [page] */
function aView(id, page) {
  const view = new RunView(the(`#${id}`), page);
  views.push(view);
  return view;
}

/** A view that shows a run, and its socket. @param {string} id @param {Partial<ReturnType<typeof aRun>>} [run] */
function connected(id, run) {
  const view = aView(id);
  view.open(run?.run_id || "a-run");
  const socket = Socket.opened[Socket.opened.length - 1];
  socket.hear(aHello({ run: aRun(run) }));
  return { view, socket };
}

/** @param {number} seq @param {number} value of every sigma(A) */
const frame = (seq, value) =>
  frameBytes({ seq: String(seq), after_seq: String(seq - 1), step: String(seq) }, [
    ["scalars", "F32", [1, 2], [seq, value]],
    ["layer0/connection", "F32", [2, 2], [value, value, value, value]],
    ["layer0/topology_logits", "F32", [2, 2], [0, 0, 0, 0]],
  ]);

/** The run shown, as the list of runs has it. */
const listedRun = () => ({ ...aRun(), kept: false, size_bytes: 0, accuracy: null, links_cut: null, settings: {} });

const soon = () => new Promise((done) => setTimeout(done, 5));

/** @param {string} id */
const topologyOf = (id) => drawingOf(the(`#${id} [data-picture="topology"] canvas`)).texts;

test("two views on one page show two runs", () => {
  const a = connected("a", { run_id: "one" });
  const b = connected("b", { run_id: "two", status: "finished" });
  a.socket.hear(frame(1, 0.25));
  b.socket.hear(frame(1, 0.75));
  for (const { view } of [a, b]) view.draw(0);
  assert.ok(topologyOf("a").includes(".25"));
  assert.ok(topologyOf("b").includes(".75"));
  assert.equal(the('#a [data-part="chip-status"]').textContent, "Trainingstep 1 of 1,000");
  assert.equal(the('#b [data-part="chip-status"]').textContent, "Finishedstep 1 of 1,000");
  assert.match(a.socket.url, /\/ws\/runs\/one$/);
  assert.match(b.socket.url, /\/ws\/runs\/two$/);
});

test("two views give no element the same id", () => {
  connected("a");
  connected("b");
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const label of document.querySelectorAll("label")) {
    const input = document.getElementById(label.htmlFor);
    assert.equal(input?.closest("[data-control]"), label.closest("[data-control]"));
  }
});

test("a frame is drawn once, acknowledged, and its scalars are kept", () => {
  const { view, socket } = connected("a");
  socket.hear(frame(1, 0.25));
  socket.hear(frame(2, 0.5));
  view.draw(0);
  view.draw(16);
  assert.deepEqual(socket.sent, ['{"type":"ack","epoch":0,"seq":2}']);
  assert.equal(view.model.store.get("loss").length, 2);
  assert.ok(topologyOf("a").includes(".50"));
});

test("a frame that does not follow the one before is asked for again, after the last that did", async () => {
  const { view, socket } = connected("a");
  answers["/api/runs/a-run"] = aRun();
  socket.hear(frame(1, 0.25));
  socket.hear(frame(3, 0.75));
  assert.equal(view.model.store.lastStep, 1);
  await new Promise((done) => setTimeout(done, 200));
  assert.match(Socket.opened[1].url, /\?after=0:1$/);
});

test("what is taken away is of the moment shown, also behind another lens", () => {
  const { view, socket } = connected("a");
  socket.hear(frame(1, 0.5));
  view.draw(0);
  assert.equal(view.pictures.toTake("threads")?.matrix.rows, 2, "a picture that was never on the page is there");
  view.pictures.setLens("threads");
  socket.hear(frame(2, 0.25));
  view.draw(1000);
  assert.equal(view.pictures.frame?.step, 2);
  assert.equal(view.pictures.toTake("topology")?.matrix.text(0, 0), ".25");
});

test("an event moves into the log, onto the charts and under the slider", () => {
  const { view, socket } = connected("a");
  const values = { p_drop: 0.9, lambda_conflict: 10, lr_ratio: 3 };
  socket.hear(anEvent({ step: 5, data: { old: { p_drop: 0.5 }, new: { p_drop: 0.9 } } }));
  const controls = { requested: values, applied: values, applied_step: { p_drop: 5 } };
  socket.hear({ type: "run", run: aRun({ revision: 2, controls }) });
  assert.equal(the("#a .event b").textContent, "p_drop 0.5 → 0.9");
  assert.deepEqual(
    marksOf(view.charts.events, 0).map(({ step }) => step),
    [5],
  );
  assert.equal(the("#a [data-control] .note").textContent, "0.5 → 0.9 at step 5");
});

test("the story is one sentence of counts of the picture that is shown", () => {
  const { view, socket } = connected("a");
  socket.hear(frame(1, 0.25));
  view.draw(0);
  view.refresh();
  assert.equal(the('#a [data-part="story"]').textContent, "None of 4 links is cut; all are alike, within .00.");
  socket.hear(frame(2, 0.01));
  view.draw(16);
  view.refresh();
  assert.equal(the('#a [data-part="story"]').textContent, "All 4 links are cut.");
});

test("who is idle now and how many are busy on average are told so that they add up", () => {
  const { view, socket } = connected("a");
  socket.hear(aHello({ scalar_names: ["step", "loss", "layer0/idle_experts"] }));
  for (const [seq, load] of /** @type {[number, number[]][]} */ ([
    [1, [0.5, 0.5]],
    [2, [1, 0]],
  ])) {
    socket.hear(
      frameBytes({ seq: String(seq), after_seq: String(seq - 1), step: String(seq) }, [
        ["scalars", "F32", [1, 3], [seq, 1, seq - 1]],
        ["layer0/connection", "F32", [2, 2], [0.5, 0.5, 0.5, 0.5]],
        ["layer0/load", "F32", [2], load],
      ]),
    );
  }
  view.draw(0);
  view.refresh();
  assert.equal(the("#a .log-idle").textContent, "Idle now: E1; 0.5 on average");
  assert.equal(the("#a [data-measure=busy] .measure-value").textContent, "1.5 of 2");
  view.scrubber.pinned = view.model.frame;
  view.refresh();
  assert.equal(the("#a .log-idle").textContent, "Idle then: E1; 0.5 on average");
});

test("before a run has told of a step the measures have their places", () => {
  aView("a");
  const shown = () => [...document.querySelectorAll("#a [data-measure]")].map((tab) => tab.textContent);
  assert.deepEqual(shown(), ["Links cut–", "Accuracy–", "Conflict–", "Busy experts–", "Loss–"]);
});

test("looking back, sliders show what was in force then and take no change", () => {
  const { view, socket } = connected("a");
  const values = { p_drop: 0.9, lambda_conflict: 10, lr_ratio: 3 };
  socket.hear(anEvent({ step: 5, data: { old: { p_drop: 0.5 }, new: { p_drop: 0.9 } } }));
  const controls = { requested: values, applied: values, applied_step: { p_drop: 5 } };
  socket.hear({ type: "run", run: aRun({ revision: 2, controls }) });
  const [slider] = view.controls.forces.sliders;
  assert.equal(slider.entry.value, "0.9");
  view.controls.lookBack({ epoch: 0, step: 3 });
  assert.deepEqual([slider.entry.value, slider.range.disabled], ["0.5", true]);
  assert.equal(slider.note.textContent, "in force at step 3");
  view.controls.lookBack({ epoch: 0, step: 6 });
  assert.equal(slider.entry.value, "0.9");
  view.controls.lookBack(null);
  assert.deepEqual([slider.entry.value, slider.range.disabled], ["0.9", false]);
});

test("what λ multiplies rests while λ is 0, looking back too", () => {
  the("#a").insertAdjacentHTML("beforeend", '<i data-control="lambda_conflict"></i><i data-control="l1"></i>');
  const { view, socket } = connected("a");
  const l1 = the('#a [data-control="l1"]');
  const values = { p_drop: 0.5, lambda_conflict: 0, lr_ratio: 3, l1: 1e-4 };
  socket.hear(anEvent({ step: 5, data: { old: { lambda_conflict: 10 }, new: { lambda_conflict: 0 } } }));
  const controls = { requested: values, applied: values, applied_step: { lambda_conflict: 5 } };
  socket.hear({ type: "run", run: aRun({ revision: 2, controls }) });
  assert.equal(l1.querySelector(".note")?.textContent, "rests: λ is 0");
  assert.ok(l1.classList.contains("is-resting"));
  view.controls.lookBack({ epoch: 0, step: 3 });
  assert.ok(!l1.classList.contains("is-resting"));
  view.controls.lookBack(null);
  assert.ok(l1.classList.contains("is-resting"));
  assert.equal(l1.querySelector("input")?.disabled, false);
});

test("a new run that is paused at once shows nothing of the run before", () => {
  const { view, socket } = connected("a");
  socket.hear(frame(1, 0.25));
  view.draw(0);
  view.open("next");
  Socket.opened[1].hear(aHello({ run: aRun({ run_id: "next", status: "queued", step: 0 }) }));
  view.refresh();
  assert.equal(the('#a [data-part="chip-status"]').textContent, "Waiting for a worker");
  assert.equal(the('#a [data-part="story"]').textContent, "A worker process is being started for this run.");
  Socket.opened[1].hear({ type: "run", run: aRun({ run_id: "next", status: "starting", step: 0 }) });
  assert.equal(the('#a [data-part="story"]').textContent, "A worker loads the images and builds the network.");
});

test("where less motion is asked for there is one picture a second", () => {
  const motion = globalThis.matchMedia;
  globalThis.matchMedia = /** @type {any} */ (() => ({ matches: true, addEventListener: () => {} }));
  const { view, socket } = connected("a");
  globalThis.matchMedia = motion;
  socket.hear(frame(1, 0.25));
  view.draw(0);
  socket.hear(frame(2, 0.75));
  view.draw(500);
  assert.ok(topologyOf("a").includes(".25"));
  view.draw(1001);
  assert.ok(topologyOf("a").includes(".75"));
});

test("while two runs train each picture of them stays a while, so that the cores are theirs", () => {
  const { view, socket } = connected("a");
  view.comparison.compareWith(["b-run"]);
  const other = Socket.opened[1];
  other.hear(aHello({ run: aRun({ run_id: "b-run" }) }));
  const taken = () => [socket, other].map(({ sent }) => sent.filter((text) => text.includes("ack")).length);
  for (const [seq, now, expected] of [
    [1, 0, 1],
    [2, 100, 1],
    [3, 250, 2],
  ]) {
    for (const each of [socket, other]) each.hear(frame(seq, 0.25));
    view.draw(now);
    assert.deepEqual(taken(), [expected, expected], `at ${now} ms`);
  }
  other.hear({ type: "run", run: aRun({ run_id: "b-run", status: "finished" }) });
  for (const each of [socket, other]) each.hear(frame(4, 0.25));
  view.draw(260);
  assert.deepEqual(taken(), [3, 3]);
});

test("a reset asks first, and can be taken back", async () => {
  connected("a");
  await soon();
  asked.length = 0;
  the('#a [data-part="reset"]').click();
  assert.deepEqual([asked, the('#a [data-part="reset-question"]').hidden], [[], false]);
  the('#a [data-part="reset-no"]').click();
  assert.equal(the('#a [data-part="reset-question"]').hidden, true);
  the('#a [data-part="reset"]').click();
  the('#a [data-part="reset-yes"]').click();
  await soon();
  assert.deepEqual(asked, ["POST /api/runs/a-run/commands"]);
});

test("what the menu's fields are refused is said in the menu while it is open", async () => {
  const { view } = connected("a");
  const { until, menuNote, note } = view.controls.transport;
  const menu = document.createElement("details");
  menuNote.replaceWith(menu);
  menu.append(menuNote);
  const ask = async (/** @type {string} */ text) => {
    until.value = text;
    until.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    await soon();
  };
  menu.open = true;
  await ask("7x");
  assert.deepEqual([menuNote.textContent, note.textContent], ["Run until step must be a whole number. Found 7x.", ""]);
  until.dispatchEvent(new Event("input"));
  assert.equal(menuNote.textContent, "");
  menu.open = false;
  await ask("7x");
  assert.deepEqual([menuNote.textContent, note.textContent], ["", "Run until step must be a whole number. Found 7x."]);
});

test("files say how their numbers of layers are those of the page", () => {
  connected("a");
  assert.match(the('#a [data-takes="data"] .take-about').textContent ?? "", /layer0 is layer 1 here/);
});

test("who may only watch finds every control off, with one sentence why", async () => {
  const why = "You may watch here.";
  answers["/api/role"] = { role: "viewer", why_not: why };
  const { view } = connected("a");
  const off = () =>
    ["run-pause", "step", "reset", "start-another", "speed"].map(
      (name) => /** @type {HTMLButtonElement} */ (the(`#a [data-part="${name}"]`)).disabled,
    );
  assert.deepEqual(off(), [false, false, false, false, false]);
  await soon();
  assert.deepEqual(off(), [true, true, true, true, true]);
  const [slider] = view.controls.forces.sliders;
  assert.deepEqual([slider.range.disabled, slider.range.title], [true, why]);
  assert.equal(the('#a [data-part="transport-note"]').textContent, why);
  view.notice.noRun();
  assert.equal(the('#a [data-part="notice"]').querySelector("button"), null);
  answers["/api/runs"] = [listedRun()];
  await view.comparison.choose();
  const fork = /** @type {HTMLButtonElement} */ (the('#a [data-part="compare-dialog"] .choice-fork'));
  assert.equal(fork.disabled, true);
});

test("what a start ends is named before", async () => {
  const { view } = connected("a", { run_id: "a-run", step: 3200, viewers: 3 });
  await soon();
  view.controls.newRun.open();
  const ends = the('#a [data-part="ends"]');
  assert.equal(ends.textContent, "This ends live, seed 0, at step 3,200. It ends for 2 others who watch it, too.");
  view.controls.newRun.keep.click();
  assert.equal(ends.textContent, "");
});

test("a run that a link offers is asked for with its controls, and what is wrong with it is said", async () => {
  const { view } = connected("a");
  await soon();
  const preset = /** @type {HTMLSelectElement} */ (the('#a [data-part="preset"]'));
  preset.innerHTML = "<option>live</option><option>standard</option>";
  const { newRun } = view.controls;
  const dialog = /** @type {HTMLDialogElement} */ (the('#a [data-part="start-dialog"]'));
  newRun.offer({ preset: "standard", controls: { lambda_conflict: "0" } });
  view.refresh();
  view.controls.refresh();
  assert.deepEqual([dialog.open, preset.value], [true, "standard"]);
  assert.match(the('#a [data-part="preset-note"]').textContent ?? "", /From the first step on with λ 0\./);
  bodies.length = 0;
  answers["/api/runs"] = { run_id: "next" };
  await newRun.start(preset.value, 3);
  const config = { preset: "standard", controls: { lambda_conflict: 0 } };
  assert.deepEqual(JSON.parse(bodies[0]), { config, seed: 3 });
  newRun.offer({ preset: "none", controls: { lambda_conflict: "1000" } });
  const note = the('#a [data-part="new-run-note"]').textContent ?? "";
  assert.match(note, /^There is no preset “none”\. λ must be 0 to 100\. Found 1000\.$/);
});

test("without a run the view says so; a run that comes later is shown", async () => {
  const view = aView("a");
  await view.openNewest();
  assert.match(the('#a [data-part="notice"]').textContent || "", /No run yet/);
  answers["/api/runs"] = [aRun({ run_id: "old", status: "finished" }), aRun({ run_id: "new" })];
  await view.openNewest();
  assert.equal(view.stream.runId, "new");
});

test("a link to a run that is gone says so and tells the page nothing", async () => {
  /** @type {unknown[]} */
  const told = [];
  const view = aView("a", { addressed: (changes) => told.push(changes), titled: () => {} });
  await view.openLinked("gone");
  assert.match(the('#a [data-part="notice"]').textContent || "", /There is no run “gone” here\./);
  assert.deepEqual([view.stream.runId, told], [null, []]);
});

test("a link to a moment that is not kept shows the nearest one and says so", async () => {
  const { view, socket } = connected("a", { status: "finished", step: 9 });
  socket.hear(frame(9, 0.25));
  view.draw(0);
  const plain = globalThis.fetch;
  globalThis.fetch = async (path, options) =>
    String(path).includes("/moments/") ? new Response(frame(4, 0.5)) : plain(path, options);
  const below = () => the('#a [data-part="story-below"]').textContent;
  view.lookAt(5);
  await soon();
  assert.equal(below(), "Looking back at step 4, the nearest that is kept to step 5.");
  assert.ok(topologyOf("a").includes(".50"));
  view.lookAt(12);
  await soon();
  assert.equal(below(), "Looking back at step 4: the run has not come to step 12.");
  view.lookAt(4);
  await soon();
  assert.equal(below(), "Looking back at step 4.");
});

test("arrow keys go on where the pictures they lead to are not kept and the nearest is the one they came from", async () => {
  const { view, socket } = connected("a", { status: "finished", step: 150 });
  socket.hear(frame(150, 0.25));
  view.draw(0);
  /** @type {string[]} */
  const sought = [];
  const plain = globalThis.fetch;
  globalThis.fetch = async (path, options) => {
    if (!String(path).includes("/moments/")) return plain(path, options);
    sought.push(String(path).split("/").at(-1) ?? "");
    return new Response(frame(0, 0.5));
  };
  for (const key of ["Home", "ArrowRight", "ArrowRight", "ArrowLeft"]) {
    the('#a [data-part="scrub"]').dispatchEvent(new KeyboardEvent("keydown", { key }));
    await soon();
    assert.equal(view.scrubber.pinned?.step, 0);
  }
  globalThis.fetch = plain;
  assert.deepEqual(sought, ["0", "50", "71", "50"]);
});

test("an ended run of which no picture is kept says so", () => {
  const { view } = connected("a", { status: "interrupted" });
  view.refresh();
  assert.equal(the('#a [data-part="story"]').textContent, "No picture of this run is kept.");
});

test("a closed view asks for nothing more", async () => {
  const { view, socket } = connected("a");
  await soon();
  view.close();
  asked.length = 0;
  document.dispatchEvent(new Event("visibilitychange"));
  window.dispatchEvent(new Event("online"));
  await soon();
  assert.deepEqual([asked, socket.readyState, Socket.opened.length], [[], 3, 1]);
});

test("a view without one of its elements says which", () => {
  the('#a [data-part="film"]').remove();
  assert.throws(() => aView("a"), /data-part="film"\. Found none\./);
});

test("the link that is copied carries the recipe and the moment, and where the run is not here it is run again", async () => {
  /** @type {string[]} */
  const copied = [];
  Object.assign(globalThis, {
    navigator: { clipboard: { writeText: async (/** @type {string} */ text) => copied.push(text) } },
  });
  const { view, socket } = connected("a");
  socket.hear(aHello({ run: aRun({ seed: 7 }), config: /** @type {any} */ (LINKED), events: [EDIT] }));
  socket.hear(frame(9, 0.5));
  view.draw(0);
  answers["/api/runs/a-run/moments/0/4"] = {};
  view.scrubber.pinned = /** @type {any} */ ({ ...view.model.frame, step: 4 });
  /** @type {HTMLElement} */ (the('#a [data-take="link"]')).click();
  await soon();
  const entries = new URLSearchParams(copied[0].split("#")[1]);
  assert.equal(entries.get("step"), "4");
  const recipe = JSON.parse(entries.get("recipe") ?? "");
  assert.deepEqual(recipe.edits, [{ step: 3, controls: { lambda_conflict: 0 } }]);
  assert.deepEqual([recipe.config.preset, recipe.config.train.seed], ["live", 7]);

  await view.openLinked("gone", [], undefined, entries.get("recipe") ?? "", 4);
  const notice = the('#a [data-part="notice"]');
  const words =
    /Trains live, seed 7, from step 0 again; it makes its change at the same steps: λ 0 after step 3; it pauses at step 4, the moment of the link\./;
  assert.match(notice.textContent ?? "", words);
  asked.length = 0;
  /** @type {HTMLElement} */ (notice.querySelector(".button-primary")).click();
  assert.ok(!asked.includes("POST /api/runs"), "it asks before it starts a run");
  assert.match(the('#a [data-part="preset-note"]').textContent ?? "", words);
  bodies.length = 0;
  /** @type {HTMLElement} */ (the('#a [data-part="new-run"]')).click();
  await soon();
  const { edits, seed, pause_at } = JSON.parse(bodies[0]);
  assert.deepEqual([edits, seed, pause_at], [[{ step: 3, controls: { lambda_conflict: 0 } }], 7, 4]);
  await view.openLinked("gone", [], undefined, "{");
  assert.match(notice.textContent ?? "", /The link's recipe must be JSON\. Found what cannot be read\./);
});

const LINKED = {
  preset: "live",
  model: { top_k: 2, patch_size: 7 },
  train: { seed: 7, batch_size: 64 },
  controls: { p_drop: 0.5 },
};
const EDIT = anEvent({
  step: 3,
  data: { command: /** @type {any} */ ({ type: "set" }), old: { lambda_conflict: 10 }, new: { lambda_conflict: 0 } },
});

test("what is shown beside a run pauses and goes on with it, also what had no worker yet", async () => {
  const { view, socket } = connected("a", { status: "running" });
  const sent = /** @type {string[]} */ ([]);
  const other = (/** @type {string} */ status) => ({
    model: /** @type {any} */ ({ run: { status } }),
    commands: /** @type {any} */ ({ send: (/** @type {string} */ type) => sent.push(type) }),
  });
  const beside = [other("running"), other("paused"), other("queued")];
  view.controls.transport.beside = () => beside;
  view.controls.transport.runOrPause();
  assert.deepEqual(sent, ["pause"]);
  socket.hear({ type: "run", run: aRun({ status: "paused" }) });
  sent.length = 0;
  view.controls.transport.runOrPause();
  assert.deepEqual(sent, ["resume"], "the one that trains needs no word, the one that waits cannot hear it");
  socket.hear({ type: "run", run: aRun({ status: "running" }) });
  sent.length = 0;
  beside[2].model.run.status = "paused";
  view.controls.transport.refresh();
  view.controls.transport.refresh();
  assert.deepEqual(sent, ["resume"], "once");
});
