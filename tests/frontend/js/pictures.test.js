import assert from "node:assert/strict";
import { test } from "node:test";

import { drawingOf, freshPage, the } from "./page.js";
import { buildColours } from "../../../frontend/assets/lab/core/colours.js";
import { decodeFrame } from "../../../frontend/assets/lab/core/frames.js";
import { Model } from "../../../frontend/assets/lab/core/model.js";
import { Parts } from "../../../frontend/assets/lab/core/parts.js";
import { NO_VALUE } from "../../../frontend/assets/lab/pictures/cells.js";
import { Pictures } from "../../../frontend/assets/lab/pictures/pictures.js";
import { PICTURES } from "../../../frontend/assets/lab/pictures/registry.js";
import { aHello, frameBytes } from "./run.js";

buildColours();

/** Two experts, two blocks, two tasks, eight dimensions. @type {[string, "F32" | "U8", number[], number[]][]} */
const ARRAYS = [
  ["connection", "F32", [2, 2], [0.9, 0.1, 0.2, 0.8]],
  ["topology_logits", "F32", [2, 2], [2.2, -2.2, -1.4, 12]],
  ["conflict", "F32", [2, 2], [NaN, 0.25, 0.25, NaN]],
  ["overlap", "F32", [2, 2], [1, 0.5, 0.5, 1]],
  ["load", "F32", [2], [0.5, 0.5]],
  ["routing", "F32", [2, 2], [0.7, 0.3, 0.001, 0.999]],
  ["routing_blind", "F32", [2, 2], [0.5, 0.5, NaN, NaN]],
  ["subspace", "U8", [2, 1], [0b11110000, 0b00011110]],
];

/** @param {number} layers */
function frameOf(layers) {
  /** @type {typeof ARRAYS} */
  const arrays = [];
  for (let l = 0; l < layers; l++) {
    for (const [name, dtype, shape, values] of ARRAYS) arrays.push([`layer${l}/${name}`, dtype, shape, values]);
  }
  return decodeFrame(frameBytes({}, arrays));
}

const PARTS = ["centre", "pictures", "layers", "lenses", "reading"];
PARTS.push("card-title", "card-how", "card-introduction", "card-text", "card-facts");

/** @param {Parameters<typeof aHello>[0]} [hello] */
function shown(hello) {
  freshPage(`<div id="root">${PARTS.map((name) => `<div data-part="${name}"></div>`).join("")}</div>`);
  const model = new Model();
  /** @type {Record<string, string | null>} */
  const link = {};
  const pictures = new Pictures(new Parts(the("#root")), model, (changes) => Object.assign(link, changes));
  model.setHello(aHello(hello));
  pictures.setUp();
  return { model, pictures, link };
}

/** @param {string} name */
const textsOf = (name) => drawingOf(the(`[data-picture="${name}"] canvas`)).texts;

const layer = frameOf(1).layers[0];
const context = { hello: aHello(), step: 1, clashes: null };

for (const picture of PICTURES) {
  test(`${picture.title} declares what it needs, and draws it`, () => {
    assert.ok(picture.needs.every((name) => name in layer));
    const only = Object.fromEntries(picture.needs.map((name) => [name, layer[name]]));
    const matrix = picture.matrix(only, context);
    for (let row = 0; row < matrix.rows; row++) {
      for (let col = 0; col < matrix.cols; col++) {
        const level = matrix.level(row, col);
        assert.ok(Object.values(NO_VALUE).includes(level) || (Number.isInteger(level) && level >= 0 && level < 256));
        assert.match(matrix.read(row, col), /\S{2}/);
        if (level >= 0) assert.ok(matrix.scale(row).fill[level]);
      }
    }
    assert.match(matrix.summary(), /\.$/);
    assert.match(picture.absent({ name: "X", full: "An X", owns: "it owns" }), /^An X has no .*\.$/);
  });

  test(`${picture.name} has its place before any data comes`, () => {
    shown();
    const section = the(`[data-picture="${picture.name}"]`);
    assert.ok(section.getAttribute("aria-label")?.startsWith(picture.title));
    assert.ok(drawingOf(section.querySelector("canvas")).fills > 0, "a skeleton");
  });
}

test("what is written as more than .50 is bold, .50 itself is not", () => {
  const topology = PICTURES.find(({ name }) => name === "topology");
  const connection = { rows: 2, cols: 2, data: Float32Array.of(0.503, 0.506, 0.497, 0.9) };
  const matrix = topology?.matrix({ connection }, context);
  const drawn = [0, 1].flatMap((r) => [0, 1].map((c) => [matrix?.text(r, c), matrix?.isStrong?.(r, c)]));
  assert.deepEqual(drawn, [
    [".50", false],
    [".51", true],
    [".50", false],
    [".90", true],
  ]);
});

test("names are given once", () => {
  assert.equal(new Set(PICTURES.map(({ name }) => name)).size, PICTURES.length);
});

/** @param {ReturnType<typeof shown>} page @param {ReturnType<typeof frameOf>} frame */
function showLive({ model, pictures }, frame) {
  model.frame = frame;
  pictures.follow(frame);
  pictures.show(frame);
}

test("a frame is drawn in every picture of the lens", () => {
  const page = shown();
  showLive(page, frameOf(2));
  for (const text of [".90", ".80", ".20", "E1", "B0"]) assert.ok(textsOf("topology").includes(text), text);
  for (const text of ["MNIST", "70", "100", "E0"]) assert.ok(textsOf("routing").includes(text), text);
  assert.ok(textsOf("conflict").includes(".25"));
  assert.equal(the('[data-picture="threads"]').hidden, true);
});

test("a cut link is a dash: it has no number", () => {
  const page = shown();
  const frame = frameOf(1);
  frame.layers[0].connection.data[1] = 0.04;
  showLive(page, frame);
  assert.ok(!textsOf("topology").includes(".04"));
  assert.ok(textsOf("topology").includes(".90"));
});

test("one switch chooses the layer of every picture", () => {
  const { pictures, link } = shown();
  the('[data-part="layers"] button:last-child').click();
  assert.equal(pictures.layer, 1);
  assert.equal(link.layer, "2");
  assert.deepEqual(
    [...document.querySelectorAll('[data-part="layers"] [aria-pressed="true"]')].map((button) => button.textContent),
    ["Layer 2"],
  );
});

test("the other lens shows who borrows from whom, and the same as a table", () => {
  const page = shown();
  showLive(page, frameOf(1));
  the('[data-lens="threads"]').click();
  assert.deepEqual([page.link.lens, the('[data-picture="topology"]').hidden], ["threads", true]);
  page.pictures.describe();
  const rows = [...the('[data-picture="threads"] table').querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((cell) => cell.textContent),
  );
  assert.deepEqual(rows, [
    ["E0", "its own B0 .90, B1 .10"],
    ["E1", "its own B1 .80, B0 .20"],
  ]);
});

test("a single layer has no switch", () => {
  shown({ layers: 1 });
  assert.equal(document.querySelectorAll('[data-part="layers"] button').length, 0);
});

test("a model without topology has no empty panels: its routing takes their place", () => {
  const page = shown({ topology: false, architecture: "standard" });
  /** @param {string} name */
  const isHidden = (name) => the(`[data-picture="${name}"]`).hidden;
  for (const picture of PICTURES) if (!picture.isOf(page.model)) assert.ok(isHidden(picture.name), picture.name);
  for (const name of ["topology", "threads", "conflict", "backbone"]) assert.ok(isHidden(name), name);
  assert.equal(isHidden("routing"), false);
  const { layers } = frameOf(1);
  showLive(page, { ...frameOf(1), layers: [{ routing: layers[0].routing, routing_blind: layers[0].routing_blind }] });
  assert.ok(textsOf("routing").includes("70"));
});

test("sixteen experts and blocks are all named in the threads, each in its own place", () => {
  const many = 16;
  const page = shown({ experts: many, partitions: many, layers: 1 });
  const connection = { rows: many, cols: many, data: new Float32Array(many * many).fill(0.05) };
  for (let e = 0; e < many; e++) connection.data[e * many + e] = 0.9;
  page.pictures.setLens("threads");
  showLive(page, { ...frameOf(1), layers: [{ connection }] });
  const names = Array.from({ length: many }, (_, i) => [`E${i}`, `B${i}`]).flat();
  const texts = textsOf("threads");
  assert.deepEqual(
    names.filter((name) => !texts.includes(name)),
    [],
  );
  page.pictures.describe();
  const rows = [...document.querySelectorAll('[data-picture="threads"] tbody tr')].map((row) => row.textContent);
  assert.equal(rows.length, many);
  assert.match(rows[15] ?? "", /E15.*its own B15 \.90/);
});

test("before the first step no pair is said to share nothing", () => {
  const page = shown();
  const frame = frameOf(1);
  frame.step = 0;
  frame.layers[0].overlap.data.fill(0);
  showLive(page, frame);
  assert.ok(textsOf("conflict").includes("no step yet"));
  const matrix = page.pictures.panels.find(({ picture }) => picture.name === "conflict")?.heatmap.matrix;
  assert.equal(matrix?.level(0, 1), NO_VALUE.BLANK);
  assert.equal(matrix?.read(0, 1), "E0 and E1: no step yet");
});

/** @param {Element} canvas @param {string} type @param {{ x: number, y: number }} at */
function pointer(canvas, type, { x, y }) {
  const event = new MouseEvent(type, { clientX: x, clientY: y });
  Object.assign(event, { pointerType: "mouse" });
  canvas.dispatchEvent(event);
}

test("what is pointed at has a card that covers nothing; a click pins it and Escape frees it", () => {
  const page = shown();
  showLive(page, frameOf(1));
  const canvas = the('[data-picture="topology"] canvas');
  pointer(canvas, "pointermove", { x: 60, y: 60 });
  assert.equal(the('[data-part="card-title"]').textContent, "Expert 0");
  assert.equal(
    the('[data-part="card-text"]').textContent,
    "50 % of the work, mostly MNIST. Keeps .90 of its own block, borrows .10 of B1.",
  );
  assert.equal(the('[data-part="reading"]').textContent, "E0 to its own block B0: σ(A) 0.900, A 2.200");
  pointer(canvas, "click", { x: 60, y: 60 });
  pointer(canvas, "pointerleave", { x: 0, y: 0 });
  assert.equal(the('[data-part="card-how"]').textContent, "pinned; Escape frees");
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  assert.equal(the('[data-part="card-introduction"]').hidden, false);
});

test("labels stand for the whole expert, block or task", () => {
  const page = shown();
  showLive(page, frameOf(1));
  pointer(the('[data-picture="topology"] canvas'), "pointermove", { x: 5, y: 200 });
  assert.equal(the('[data-part="card-title"]').textContent, "Expert 1");
  pointer(the('[data-picture="topology"] canvas'), "pointermove", { x: 60, y: 5 });
  assert.deepEqual(
    [the('[data-part="card-title"]').textContent, the('[data-part="card-text"]').textContent],
    ["Block 0", "Borrowed by E0 .90, E1 .20."],
  );
  pointer(the('[data-picture="routing"] canvas'), "pointermove", { x: 60, y: 5 });
  assert.deepEqual(
    [the('[data-part="card-title"]').textContent, the('[data-part="card-text"]').textContent],
    ["MNIST", "With ID its patches go 70 % to E0, 30 % to E1."],
  );
});

test("a stored moment shows the conflict of its own step, and says so", () => {
  const page = shown();
  showLive(page, frameOf(1));
  const subtitle = the('[data-picture="conflict"] > .subtitle');
  assert.equal(subtitle.textContent, "clashing gradients, this step");
  page.pictures.show(frameOf(1));
  assert.equal(subtitle.textContent, "clashing gradients, this step");
});

test("a tap shows what hovering shows", () => {
  const page = shown();
  showLive(page, frameOf(1));
  const canvas = the('[data-picture="conflict"] canvas');
  const tap = new MouseEvent("click", { clientX: 60, clientY: 200 });
  canvas.dispatchEvent(tap);
  assert.equal(the('[data-part="card-title"]').textContent, "Expert 1");
  assert.match(the('[data-part="reading"]').textContent || "", /^E1 and E0: conflict 0\.250, 50 % of the rank shared/);
});

test("arrow keys read cells aloud, Escape forgets them", () => {
  const page = shown();
  showLive(page, frameOf(2));
  const canvas = the('[data-picture="topology"] canvas');
  for (const key of ["ArrowRight", "ArrowDown"]) canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
  assert.equal(the("#announcer").textContent, "E1 to block B0: σ(A) 0.200, A -1.400");
  assert.equal(page.pictures.focus.target?.expert, 1);
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  assert.equal(page.pictures.focus.target, null);
});
