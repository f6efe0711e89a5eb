import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import "./page.js";
import { aRun, anEvent, frameBytes } from "./run.js";
import { colours, buildColours } from "../../../frontend/assets/lab/core/colours.js";
import { decodeFrame } from "../../../frontend/assets/lab/core/frames.js";
import { decodeRecording, half, inflated } from "../../../frontend/assets/lab/core/recording.js";
import { nearestFrame, sharedStep } from "../../../frontend/assets/lab/twin/align.js";
import { bandOf, interval, quantile, valueOn } from "../../../frontend/assets/lab/twin/bands.js";
import { curveOf } from "../../../frontend/assets/lab/twin/bands_of_runs.js";
import { choiceOrder, differencesOf, namesOf, nearestTo } from "../../../frontend/assets/lab/twin/choice.js";
import { differenceMatrix, differenceOf, largest, signed } from "../../../frontend/assets/lab/twin/difference.js";
import { linesOfAll } from "../../../frontend/assets/lab/twin/log.js";
import { twinSentence, whatDiffers } from "../../../frontend/assets/lab/twin/story.js";
import { topOf, workOf } from "../../../frontend/assets/lab/twin/work.js";

/** @import { ListedRun } from "../../../frontend/assets/lab/core/messages.js" */

/**
 * @param {Partial<ListedRun>} [fields]
 * @param {Record<string, number>} [controls]
 * @returns {ListedRun}
 */
function listed(fields = {}, controls = {}) {
  const values = { p_drop: 0.5, lambda_conflict: 10, lr_ratio: 3, ...controls };
  return {
    ...aRun({ controls: { requested: values, applied: values, applied_step: {} } }),
    kept: false,
    size_bytes: 0,
    accuracy: null,
    blind_accuracy: null,
    links_cut: null,
    settings: {},
    ...fields,
  };
}

/** @param {ListedRun[]} runs */
const ids = (runs) => runs.map(({ run_id: id }) => id);

/** @param {number} step */
const frameAt = (step) => decodeFrame(frameBytes({ step: String(step) }, []));

// choice order

test("runs of the same seed are offered first, then twins, then those that differ in less", () => {
  const own = listed({ run_id: "own" });
  const runs = [
    listed({ run_id: "other seed", seed: 1 }),
    listed({ run_id: "two settings" }, { lambda_conflict: 0, p_drop: 0 }),
    listed({ run_id: "one setting" }, { lambda_conflict: 0 }),
    listed({ run_id: "other preset", preset: "standard" }),
    listed(
      { run_id: "twin", parent: { run_id: "own", epoch: 0, step: 9 } },
      { lambda_conflict: 0, p_drop: 0, lr_ratio: 1 },
    ),
    own,
    listed({ run_id: "not begun", step: 0 }),
  ];
  assert.deepEqual(ids(choiceOrder(own, runs)), ["twin", "one setting", "two settings", "other preset", "other seed"]);
});

test("of equal runs the newer is offered first", () => {
  const runs = ["newest", "older", "oldest"].map((name) => listed({ run_id: name }));
  assert.deepEqual(ids(choiceOrder(listed({ run_id: "own" }), runs)), ["newest", "older", "oldest"]);
});

test("what sets a run apart is said in its own values, controls first", () => {
  const own = listed({ run_id: "own" });
  const other = listed({ run_id: "other", seed: 3, settings: { num_experts: 16 } }, { lambda_conflict: 0 });
  assert.deepEqual(
    differencesOf(own, other).map(({ text }) => text),
    ["λ 0", "seed 3", "num experts 16"],
  );
  assert.equal(differencesOf(other, own)[2].text, "num experts as in the preset");
  assert.deepEqual(differencesOf(own, listed({ run_id: "same" })), []);
});

test("runs beside each other are called by what sets them apart, else by their names", () => {
  const [a, b] = [listed({ run_id: "a" }), listed({ run_id: "b" }, { lambda_conflict: 0 })];
  assert.deepEqual(namesOf([a, b]), ["λ 10", "λ 0"]);
  assert.deepEqual(namesOf([a, b, listed({ run_id: "c", seed: 1 }, { lambda_conflict: 0 })]), [
    "λ 10, seed 0",
    "λ 0, seed 0",
    "λ 0, seed 1",
  ]);
  assert.deepEqual(namesOf([a, listed({ run_id: "c", name: "again" })]), ["live", "again"]);
});

test("the nearest to a run that is gone is the newest fork of the one shown, else the first choice", () => {
  const own = listed({ run_id: "own" });
  const fork = listed({ run_id: "fork", parent: { run_id: "own", epoch: 0, step: 9 } });
  const alike = listed({ run_id: "alike" });
  assert.equal(nearestTo(own, [alike, fork, own])?.run_id, "fork");
  assert.equal(nearestTo(own, [alike, own])?.run_id, "alike");
  assert.equal(nearestTo(own, [own]), null);
});

// alignment by step

test("runs are aligned at the newest step that all that train have reached", () => {
  const [slow, fast] = [
    { last: 120, goesOn: true },
    { last: 300, goesOn: true },
  ];
  assert.equal(sharedStep([fast, slow]), 120);
  assert.equal(sharedStep([slow, { last: 9000, goesOn: false }]), 120);
  assert.equal(sharedStep([fast, { last: 40, goesOn: false }]), 300);
});

test("where no run trains the longest is seen to its end", () => {
  assert.equal(
    sharedStep([
      { last: 500, goesOn: false },
      { last: 3200, goesOn: false },
    ]),
    3200,
  );
  assert.equal(sharedStep([]), 0);
});

test("the frame that is shown is the nearest to the step", () => {
  const frames = [0, 10, 20].map(frameAt);
  for (const [step, nearest] of [
    [0, 0],
    [4, 0],
    [5, 0],
    [6, 10],
    [19, 20],
    [99, 20],
  ]) {
    assert.equal(nearestFrame(frames, step)?.step, nearest);
  }
  assert.equal(nearestFrame([], 3), null);
});

// difference

/** @param {number[]} values @param {number} [rows] */
const sigma = (values, rows = 2) => ({ rows, cols: values.length / rows, data: Float32Array.from(values) });

test("a difference is B minus A, link by link, and counts what is cut where", () => {
  const found = differenceOf(sigma([0.5, 0.05, 0.05, 0.9]), sigma([0.75, 0.5, 0.01, 0.04]));
  assert.ok(found);
  [0.25, 0.45, -0.04, -0.86].forEach((value, i) => assert.ok(Math.abs(found.data[i] - value) < 1e-6));
  assert.deepEqual([found.cutInA, found.cutInB, found.cutInBoth], [1, 1, 1]);
  assert.ok(Math.abs(found.mean - 0.4) < 1e-6);
  const most = largest(found, 2).map(({ row, col }) => [row, col]);
  assert.deepEqual(most, [
    [1, 1],
    [0, 1],
  ]);
  assert.equal(largest(found, 9).length, 3); // one is too small to be named
});

test("without the same experts and blocks there is no difference", () => {
  assert.equal(differenceOf(sigma([0.5, 0.5]), sigma([0.5, 0.5, 0.5, 0.5])), null);
  assert.equal(differenceOf(sigma([0.5, 0.5]), undefined), null);
});

test("a cell of the difference says both values and their signed difference", () => {
  const [a, b] = [sigma([0.5, 0.05, 0.05, 0.9]), sigma([0.75, 0.5, 0.01, 0.04])];
  const matrix = differenceMatrix(
    /** @type {NonNullable<ReturnType<typeof differenceOf>>} */ (differenceOf(a, b)),
    a,
    b,
  );
  assert.equal(matrix.read(1, 1), "E1 to B1: σ(A) 0.900 in A, 0.040 in B, −.86");
  assert.deepEqual([matrix.text(0, 0), matrix.text(1, 0)], ["+.25", ""]);
  assert.ok(matrix.level(0, 1) > 127 && matrix.level(1, 1) < 127);
  assert.match(matrix.summary(), /^Largest −\.86, E1 to B1\./);
  assert.equal(signed(1), "+1.00");
});

test("the scale of the difference goes from ink over the ground to violet", () => {
  buildColours();
  const { fill, text } = colours.difference;
  assert.equal(fill.length, 256);
  assert.notEqual(fill[0], fill[255]);
  assert.equal(text[0], "rgb(255,255,255)");
  assert.equal(text[128], "rgb(0,0,0)");
});

// sentences

const counts = (/** @type {number} */ cut) => ({ links: 64, cut, kept: 8, crossing: 56 - cut, gap: 0.5, hasOwn: true });

test("the story of two runs is made of their counts", () => {
  const a = { name: "λ 10", counts: counts(50) };
  assert.equal(twinSentence(a, { name: "λ 0", counts: counts(0) }), "λ 10: 50 of 64 links are cut; λ 0: none.");
  assert.equal(
    twinSentence({ name: "λ 10", counts: counts(0) }, { name: "λ 0", counts: counts(0) }),
    "λ 10 and λ 0: in both no link of 64 is cut.",
  );
  assert.equal(
    twinSentence({ name: "λ 0", counts: counts(1) }, { name: "λ 10", counts: counts(64) }),
    "λ 0: 1 of 64 link is cut; λ 10: all 64.",
  );
});

test("what two runs have in common is said", () => {
  assert.equal(
    whatDiffers({ differs: ["λ"], forkedAt: 3200, sameSeed: true }),
    "One run up to step 3,200: same weights, same images; only λ differs.",
  );
  assert.equal(
    whatDiffers({ differs: ["λ", "p_drop"], forkedAt: null, sameSeed: true }),
    "Same seed, so the same start and the same images; only λ and p_drop differ.",
  );
  assert.equal(
    whatDiffers({ differs: ["seed"], forkedAt: null, sameSeed: false }),
    "Another seed: other weights, other batches.",
  );
});

test("the log has the lines of all runs by their letters, newest first", () => {
  const cut = anEvent({
    kind: "phase",
    step: 40,
    text: "Layer 1: The first link is cut.",
    data: { phase: "cuts", layer: 0 },
  });
  const changed = anEvent({ epoch: 1, step: 60, data: { old: { p_drop: 0.5 }, new: { p_drop: 0.9 } } });
  const lines = linesOfAll([[cut], [changed]], 0, 7);
  assert.deepEqual(
    lines.map(({ title, epoch }) => [title, epoch]),
    [
      ["B: p_drop 0.5 → 0.9", 7],
      ["A: The first link is cut", 7],
    ],
  );
});

test("an expert's work is its share of all patches, in parts of the tasks", () => {
  const routing = { rows: 2, cols: 2, data: Float32Array.from([0.75, 0.25, 0.5, 0.5]) };
  const work = workOf({ routing });
  assert.deepEqual(work, [
    [0.375, 0.25],
    [0.125, 0.25],
  ]);
  assert.equal(topOf(work), 1);
  assert.equal(topOf([[0.1, 0.1]], null), 0.3);
  assert.equal(workOf({}), null);
});

// bands

test("the band is the mean and the t-interval of the seeds that reach a step", () => {
  const { mean, half: width } = interval([1, 2, 3, 4]);
  assert.equal(mean, 2.5);
  assert.ok(Math.abs(width - (3.182 * Math.sqrt(5 / 3)) / 2) < 1e-9);
  assert.equal(quantile(9), 2.262);
  assert.ok(Math.abs(quantile(60) - 2.0) < 0.01);
  const curves = [0.1, 0.2, 0.3].map((y) => ({ xs: [0, 50, 100], ys: [0, y, y] }));
  const longer = { xs: [0, 50, 100, 200], ys: [0, 0.4, 0.4, 0.4] };
  const band = bandOf([...curves, longer], [0, 1]);
  assert.equal(band?.seeds, 4);
  assert.equal(band?.xs.at(-1), 100); // beyond it there is one seed alone
  assert.ok(Math.abs((band?.mean.at(-1) ?? 0) - 0.25) < 1e-9);
  assert.ok((band?.low.at(-1) ?? -1) >= 0);
  assert.equal(bandOf(curves.slice(1), [0, 1]), null);
});

test("a curve has values between its points and none beyond them", () => {
  const curve = { xs: [0, 50, 100], ys: [0, 1, 3] };
  assert.equal(valueOn(curve, 25), 0.5);
  assert.equal(valueOn(curve, 50), 1);
  assert.equal(valueOn(curve, 101), undefined);
  assert.ok(Math.abs((valueOn(curve, 50 * Math.SQRT2) ?? 0) - 2) < 1e-9);
});

test("sixteen bits are read as a float", () => {
  assert.deepEqual([0x3c00, 0xc000, 0x3800, 0x0000, 0x7c00].map(half), [1, -2, 0.5, 0, Infinity]);
  assert.ok(Number.isNaN(half(0x7e00)));
  assert.ok(Math.abs(half(0x2e66) - 0.1) < 1e-4);
});

test("a recorded run that comes with the program is read as curves", async () => {
  const file = readFileSync(new URL("../../../docs/recorded/live-lambda10-seed0.recording", import.meta.url));
  const recording = decodeRecording(await inflated(new Response(file)));
  assert.equal(recording.recipe.config.train.seed, 0);
  const [cut, accuracy] = ["cut", "accuracy"].map((measure) => curveOf(recording, measure, 0));
  assert.equal(cut?.xs.length, recording.steps.length);
  assert.equal(cut?.ys[0], 0); // every link starts near .5
  assert.ok((cut?.ys.at(-1) ?? 0) > 0.5 && (cut?.ys.at(-1) ?? 2) <= 1);
  assert.ok((accuracy?.ys.at(-1) ?? 0) > 0.7 && (accuracy?.ys.at(-1) ?? 2) <= 1);
  assert.equal(curveOf(recording, "busy", 0), null);
  assert.equal(curveOf(recording, "cut", 9), null);
});
