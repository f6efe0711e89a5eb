import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { freshPage, the } from "./page.js";
import { Chips } from "../../../frontend/assets/lab/charts/chips.js";
import { chipsOf, phaseAt, phasesOf } from "../../../frontend/assets/lab/core/phases.js";
import { EventLog, linesOf } from "../../../frontend/assets/lab/shell/event_log.js";
import { anEvent } from "./run.js";

/** @param {string} name @param {number} step @param {object} [data] @param {string} [text] */
const phase = (name, step, data = {}, text = "Layer 1: It is so. As it is.") =>
  anEvent({ kind: "phase", step, text, data: { phase: name, layer: 0, ...data } });

const STORY = [
  phase("even", 0, {}, "Layer 1: Every link starts near .50. The widest gap is .02."),
  phase("breaks", 93),
  phase("breaks", 99, { layer: 1 }),
  phase("cuts", 261, {}, "Layer 1: The first link is cut. E7 lets go of B4."),
  phase("pulls_ahead", 394, {}, "Layer 1: E0 pulls ahead. It keeps .68 of its own block, E1 .37."),
  phase("frozen", 3026, { since: 2026 }, "Layer 1: 50 of 64 links are cut. 8 experts keep their own block."),
];

beforeEach(() =>
  freshPage('<div id="chips"></div><section id="log"><div class="panel-head"></div><ol></ol></section>'),
);

test("the phases of a layer are its own, and frozen counts from the last link that crossed", () => {
  assert.deepEqual(
    phasesOf(STORY, 0).map(({ name, step }) => [name, step]),
    [
      ["even", 0],
      ["breaks", 93],
      ["cuts", 261],
      ["frozen", 2026],
    ],
  );
  assert.deepEqual(
    phasesOf(STORY, 1).map(({ name }) => name),
    ["breaks"],
  );
});

test("a phase that is told again while it goes on is one", () => {
  const again = [...STORY, phase("frozen", 6000, { since: 5000 })];
  assert.equal(phasesOf(again, 0).length, 4);
});

test("what earlier versions told, an oligarchy or an idle expert, is no phase and no line of the log", () => {
  const old = ["oligarchy", "idle", "recovered", "sparse", "symmetry_broken"].map((name) => phase(name, 5));
  assert.deepEqual([phasesOf(old, 0), linesOf(old, 0)], [[], []]);
});

test("the chip of the phase at a step is marked, looking back too", () => {
  const phases = phasesOf(STORY, 0);
  const nowAt = (/** @type {number} */ step) =>
    chipsOf(phases, step)
      .filter(({ isNow }) => isNow)
      .map(({ name }) => name);
  assert.deepEqual([0, 92, 93, 400, 2026, 9999].map(nowAt).flat(), [
    "even",
    "even",
    "breaks",
    "cuts",
    "frozen",
    "frozen",
  ]);
  assert.equal(phaseAt([], 5), null);
});

test("chips jump to where their phase began; one that has not come is off", () => {
  /** @type {number[]} */
  const jumped = [];
  const chips = new Chips(the("#chips"), ({ step }) => jumped.push(step));
  chips.show(phasesOf(STORY.slice(0, 4), 0), 400, true);
  const buttons = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("#chips button")]);
  assert.deepEqual(
    buttons.map(({ textContent }) => textContent),
    ["1 Evenstep 0", "2 Breaksstep 93", "3 Cutssince 261", "4 Frozennot yet"],
  );
  assert.deepEqual(
    buttons.map(({ disabled }) => disabled),
    [false, false, false, true],
  );
  for (const button of buttons) button.click();
  assert.deepEqual(jumped, [0, 93, 261]);
});

test("the log tells what changed the picture of the layer shown, newest first", () => {
  const change = anEvent({ step: 300, data: { old: { lambda_conflict: 10 }, new: { lambda_conflict: 0 } } });
  const paused = anEvent({ kind: "status", step: 310, text: "Paused.", data: { status: "paused" } });
  const saved = anEvent({ kind: "checkpoint", step: 320, text: "Saved." });
  const everywhere = phase(
    "accuracy",
    350,
    { layer: null },
    "Accuracy with ID passes 80 %. Mean of the last 10 tests.",
  );
  const lines = linesOf([...STORY, change, paused, saved, everywhere], 0);
  assert.deepEqual(
    lines.map(({ step, title, kind }) => [step, title, kind]),
    [
      [2026, "50 of 64 links are cut", "phase"],
      [394, "E0 pulls ahead", "small"],
      [350, "Accuracy with ID passes 80 %", "small"],
      [300, "λ 10 → 0", "person"],
      [261, "The first link is cut", "phase"],
      [93, "It is so", "phase"],
      [0, "Every link starts near .50", "phase"],
    ],
  );
  assert.equal(lines[1].detail, "It keeps .68 of its own block, E1 .37");
});

/** @returns {{ log: EventLog, list: HTMLElement, titles: () => (string | null)[] }} */
function aLog() {
  const list = the("#log ol");
  const log = new EventLog(the("#log"), list, () => {});
  return { log, list, titles: () => [...list.querySelectorAll(".event b")].map(({ textContent }) => textContent) };
}

test("while the log is read a new line waits, and says so", () => {
  const { log, list, titles } = aLog();
  log.show(STORY.slice(0, 2), 0, null, true);
  list.dispatchEvent(new Event("pointerenter"));
  log.show(STORY.slice(0, 4), 0, null, true);
  assert.equal(titles().length, 2);
  const more = /** @type {HTMLButtonElement} */ (the("#log .log-more"));
  assert.deepEqual([more.hidden, more.textContent], [false, "1 new"]);
  more.click();
  assert.equal(titles()[0], "The first link is cut");
  assert.ok(more.hidden);
});

test("looking back, later lines are faded and a line says where one looks", () => {
  const { log, list, titles } = aLog();
  log.show(STORY, 0, { epoch: 0, step: 300 }, true);
  const faded = [...list.querySelectorAll(".is-later b")].map(({ textContent }) => textContent);
  assert.deepEqual(faded, titles().slice(0, 2));
  assert.equal(the("#log .events-here").textContent, "you look at step 300");
});
