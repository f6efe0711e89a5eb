import "./page.js";

import assert from "node:assert/strict";
import { test } from "node:test";

import { captionOf } from "../../../frontend/assets/lab/take/caption.js";
import { figureOf, svgOf } from "../../../frontend/assets/lab/take/figure.js";
import { evenly } from "../../../frontend/assets/lab/take/film_files.js";
import { compressed, gifOf } from "../../../frontend/assets/lab/take/gif.js";
import { SvgContext } from "../../../frontend/assets/lab/take/svg_context.js";
import { drawHatch } from "../../../frontend/assets/lab/pictures/cells.js";
import { colours } from "../../../frontend/assets/lab/core/colours.js";
import { aHello, anEvent } from "./run.js";

/** What GIF's LZW codes stand for, read as a decoder does. @param {Uint8Array} bytes */
function decompressed(bytes) {
  /** @type {number[][]} */
  let table = [];
  const fresh = () => [...Array.from({ length: 256 }, (_, i) => [i]), [], []];
  let [size, bits, many, at] = [9, 0, 0, 0];
  /** @type {number[]} */
  const out = [];
  /** @type {number[] | null} */
  let before = null;
  for (;;) {
    while (many < size) {
      bits |= bytes[at++] << many;
      many += 8;
    }
    const code = bits & ((1 << size) - 1);
    bits >>>= size;
    many -= size;
    if (code === 257) return out;
    if (code === 256) {
      [table, size, before] = [fresh(), 9, null];
      continue;
    }
    /** @type {number[]} */
    const entry = table[code] ?? [.../** @type {number[]} */ (before), /** @type {number[]} */ (before)[0]];
    out.push(...entry);
    if (before && table.length < 4096) table.push([...before, entry[0]]);
    if (table.length === 1 << size && size < 12) size += 1;
    before = entry;
  }
}

test("what is compressed comes out as it was, through every size of code and after the table is full", () => {
  let seed = 1;
  const noise = Uint8Array.from({ length: 30_000 }, () => (seed = (seed * 16807) % 2147483647) % 256);
  for (const pixels of [new Uint8Array(5000), noise, noise.map((value, i) => (i % 7 ? 3 : value))]) {
    assert.deepEqual(Uint8Array.from(decompressed(compressed(pixels))), pixels);
  }
});

test("a GIF begins with its name, repeats, carries its caption and ends with a semicolon", () => {
  const red = new Uint8ClampedArray([255, 0, 0, 255, 0, 0, 255, 255]);
  const bytes = gifOf({ width: 2, height: 1, pictures: [red, red], delay_ms: 250, comment: "live, seed 0" });
  const text = String.fromCharCode(...bytes);
  assert.ok(text.startsWith("GIF89a"));
  assert.ok(text.includes("NETSCAPE2.0"));
  assert.ok(text.includes("live, seed 0"));
  assert.equal(bytes.at(-1), 0x3b);
});

test("a caption has preset, seed, edits up to the step, step and version", () => {
  const hello = aHello({ config: /** @type {any} */ ({ preset: "live" }) });
  const set = (/** @type {number} */ step) =>
    anEvent({ step, data: { command: { type: "set" }, new: { lambda_conflict: 0 }, by: "person" } });
  assert.equal(
    captionOf(hello, [set(1500), set(4000)], 3200),
    "live, seed 0 · λ 0 at step 1,500 · step 3,200 · Topology Lab 1.2.3",
  );
});

test("a picture as SVG has its cells, its labels, its title and its caption, and nothing that breaks XML", () => {
  const matrix = {
    rows: 2,
    cols: 2,
    labelWidth: 30,
    rowLabels: (/** @type {number} */ e) => `E${e}`,
    colLabels: (/** @type {number} */ p) => `B${p}`,
    scale: () => colours.sigma,
    level: () => 128,
    text: () => ".50",
    read: () => "",
    summary: () => "",
  };
  const about = { width: 200, height: 120, title: "Topology <1> & more", caption: "live, seed 0 · step 3" };
  const text = svgOf(figureOf(matrix, about));
  const words = Array.from(text.matchAll(/<text [^>]*>([^<]*)<\/text>/g), ([, word]) => word);
  assert.deepEqual(words, [
    "Topology &lt;1&gt; &amp; more",
    "B0",
    "B1",
    "E0",
    "E1",
    ".50",
    ".50",
    ".50",
    ".50",
    about.caption,
  ]);
  assert.equal((text.match(/<g /g) ?? []).length, (text.match(/<\/g>/g) ?? []).length);
  assert.ok((text.match(/<path /g) ?? []).length >= 5);
});

test("hatching is clipped, circles are whole, and a restored pen draws as before", () => {
  const context = new SvgContext();
  const c = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (context));
  c.save();
  c.beginPath();
  c.rect(0, 0, 10, 10);
  c.clip();
  drawHatch(c, { x: 0, y: 0, width: 10, height: 10 }, "red", 0.5);
  c.restore();
  c.fillStyle = "blue";
  c.beginPath();
  c.arc(5, 5, 2, 0, 2 * Math.PI);
  c.fill();
  const text = context.shapes.join("");
  assert.equal((text.match(/<clipPath /g) ?? []).length, 2);
  assert.match(text, /stroke="red".* opacity="0.5" clip-path="url\(#clip2\)"/);
  assert.match(
    context.shapes[context.shapes.length - 1],
    /^<path d="M7 5A2 2 0 0 1 3 5A2 2 0 0 1 7 5Z" fill="blue"\/>$/,
  );
});

test("places of a film are taken evenly, the first and the last among them", () => {
  assert.deepEqual(evenly(3, 14), [0, 1, 2]);
  const taken = evenly(48, 14);
  assert.deepEqual([taken.length, taken[0], taken.at(-1)], [14, 0, 47]);
});
