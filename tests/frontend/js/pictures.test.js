import assert from "node:assert/strict";
import { test } from "node:test";

import { drawingOf, freshPage, the } from "./page.js";
import { buildColours } from "../../../frontend/assets/lab/core/colours.js";
import { decodeFrame } from "../../../frontend/assets/lab/core/frames.js";
import { Model } from "../../../frontend/assets/lab/core/model.js";
import { Parts } from "../../../frontend/assets/lab/core/parts.js";
import { NO_VALUE } from "../../../frontend/assets/lab/pictures/matrix.js";
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

/** @param {Parameters<typeof aHello>[0]} [hello] */
function shown(hello) {
  freshPage('<div id="root"><div data-part="centre"><div data-part="pictures"></div></div></div>');
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
const context = { hello: aHello(), raw: false };

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

  test(`${picture.title} has its panel, at its size, before any data comes`, () => {
    shown();
    const names = picture.slots
      ? Array.from({ length: picture.slots }, (_, slot) => picture.name + slot)
      : [picture.name];
    for (const name of names) {
      const section = the(`[data-picture="${name}"]`);
      assert.ok(section.querySelector(`.picture-${picture.shape}`));
      assert.ok(section.getAttribute("aria-label")?.startsWith(picture.title));
      assert.ok(drawingOf(section.querySelector("canvas")).fills > 0, "a skeleton");
    }
  });
}

test("names are given once", () => {
  assert.equal(new Set(PICTURES.map(({ name }) => name)).size, PICTURES.length);
});

test("a frame is drawn in every picture, and logits on demand", () => {
  const { pictures, link } = shown();
  pictures.show(frameOf(2));
  for (const text of [".90", ".80"]) assert.ok(textsOf("topology0").includes(text));
  for (const text of ["MNIST", ".70", "1.0"]) assert.ok(textsOf("routing").includes(text));
  assert.ok(textsOf("conflict").includes(".25"));
  the('[data-picture="topology0"] [data-raw="true"]').click();
  assert.ok(textsOf("topology1").includes("2.2"));
  assert.ok(textsOf("topology1").includes("12"));
  assert.equal(link.view, "logits");
});

test("two layers stand side by side, and one switch chooses for the other pictures", () => {
  const { pictures, link } = shown();
  the('[data-picture="conflict"] .layer-switch button:last-child').click();
  assert.equal(pictures.layer, 1);
  assert.equal(link.layer, "2");
  const pressed = [...document.querySelectorAll('.layer-switch [aria-pressed="true"]')].map(
    (button) => button.textContent,
  );
  assert.deepEqual(pressed, ["2", "2", "2", "2"]);
  assert.equal(the('[data-picture="topology1"] h2').textContent, "Topology, layer 2");
  assert.equal(the('[data-picture="topology1"]').querySelectorAll(".layer-switch button").length, 0);
});

test("of three layers each topology chooses its own", () => {
  const { pictures } = shown({ layers: 3 });
  the('[data-picture="topology0"] .layer-switch button:last-child').click();
  assert.equal(pictures.layer, 0);
  assert.equal(pictures.panels[0].layer, 2);
  assert.equal(the('[data-picture="topology0"] h2').textContent, "Topology");
});

test("a single layer has one topology and no switch", () => {
  shown({ layers: 1 });
  assert.equal(the('[data-picture="topology1"]').hidden, true);
  assert.equal(document.querySelectorAll(".layer-switch button").length, 0);
});

test("what a model does not have is said before its first frame", () => {
  const { pictures } = shown({ topology: false, architecture: "standard" });
  const sentence = "A standard mixture of experts has no topology matrix: each expert owns its weights.";
  assert.equal(the('[data-picture="topology0"] .picture-absent').textContent, sentence);
  assert.equal(the('[data-picture="routing"] .picture-absent').hidden, true);
  const { layers } = frameOf(1);
  pictures.show({ ...frameOf(1), layers: [{ routing: layers[0].routing, routing_blind: layers[0].routing_blind }] });
  assert.equal(the('[data-picture="topology0"] .picture-absent').hidden, false);
  assert.ok(textsOf("routing").includes(".70"));
});

test("arrow keys read cells aloud, Escape forgets them", () => {
  const { pictures } = shown();
  pictures.show(frameOf(2));
  const canvas = the('[data-picture="topology0"] canvas');
  for (const key of ["ArrowRight", "ArrowDown"]) canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
  assert.equal(the("#announcer").textContent, "E1 to block B0: σ(A) 0.200, A -1.400");
  assert.equal(the("#tooltip").hidden, false);
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  assert.equal(the("#tooltip").hidden, true);
});
