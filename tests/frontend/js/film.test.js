import assert from "node:assert/strict";
import { test } from "node:test";

import "./page.js";
import { Axis, pictureName } from "../../../frontend/assets/lab/charts/axis.js";
import { Film } from "../../../frontend/assets/lab/charts/film.js";
import { FilmMoments } from "../../../frontend/assets/lab/charts/film_moments.js";
import { decodeFrame } from "../../../frontend/assets/lab/core/frames.js";
import { isIn, lineageOf } from "../../../frontend/assets/lab/core/lineage.js";
import { pictureSteps, picturesTo, stepAfter } from "../../../frontend/assets/lab/core/log_steps.js";
import { frameBytes } from "./run.js";

test("pictures are of step 0, of 50, and then of every root of two, the newest last", () => {
  assert.deepEqual(pictureSteps(300), [0, 50, 71, 100, 141, 200, 283, 300]);
  assert.deepEqual(pictureSteps(200), [0, 50, 71, 100, 141, 200]);
  assert.deepEqual(pictureSteps(0), [0]);
  assert.deepEqual([71, 141, 283, 1131, 2263, 50, 18].map(pictureName), [70, 140, 280, 1130, 2260, 50, 18]);
});

test("a step has one place on the scale, and the place that step", () => {
  for (const step of [0, 1, 25, 50, 51, 3200, 100_000]) assert.ok(Math.abs(stepAfter(picturesTo(step)) - step) < 1e-6);
  assert.deepEqual([0, 25, 50, 100, 3200].map(picturesTo), [0, 0.5, 1, 3, 13]);
});

test("on the axis step 0 is left, the newest right, and every pixel gives a step between them", () => {
  const axis = new Axis(3200, 60, 710);
  assert.deepEqual([axis.x(0), axis.x(50), axis.x(3200)], [60, 110, 710]);
  assert.deepEqual([axis.step(-99), axis.step(60), axis.step(110), axis.step(9999)], [0, 0, 50, 3200]);
  for (let x = 60; x < 710; x++) assert.ok(axis.step(x) <= axis.step(x + 1));
});

test("a young run does not fill the axis at once", () => {
  const axis = new Axis(60, 0, 700);
  assert.equal(axis.x(400), 700);
  assert.ok(axis.x(60) < 200);
  assert.equal(axis.step(700), 60);
});

test("pictures never overlap, and there are fourteen of 44 pixels at step 3,200", () => {
  assert.equal(new Axis(3200, 0, 700).shown(44, 8, 30).steps.length, 14);
  assert.equal(new Axis(3200, 0, 700).shown(44, 8, 30).size, 44);
  for (const last of [0, 3, 60, 333, 1000, 2300, 18_720, 1_000_000]) {
    const axis = new Axis(last, 0, 700);
    const { steps, size } = axis.shown(44, 8, 30);
    assert.equal(steps.at(-1), last);
    assert.ok(size >= 30 && size <= 44);
    for (const [i, step] of steps.slice(1).entries()) assert.ok(axis.x(step) - axis.x(steps[i]) >= size);
  }
});

test("stepping goes by pictures, from between two to the next one", () => {
  const axis = new Axis(300, 0, 700);
  assert.deepEqual(
    [axis.neighbour(0, 1), axis.neighbour(120, 1), axis.neighbour(283, 1), axis.neighbour(300, 1)],
    [50, 141, 300, 300],
  );
  assert.deepEqual([axis.neighbour(300, -1), axis.neighbour(120, -1), axis.neighbour(0, -1)], [283, 100, 0]);
});

/** @param {number} step @param {number} sigma of both links */
const frame = (step, sigma) =>
  decodeFrame(frameBytes({ step: String(step) }, [["layer0/connection", "F32", [1, 2], [sigma, sigma]]]));

const filmed = frameBytes({ kind: "film", epoch: "1" }, [
  ["steps", "I32", [3], [0, 50, 71]],
  ["lineage", "I32", [2, 2], [1, -1, 0, 60]],
  ["layer0/connection", "U8", [3, 2], [1, 2, 3, 4, 5, 6]],
]);

test("a film holds what the server has stored, and then the live frames of its pictures", () => {
  const film = new FilmMoments();
  film.take(filmed);
  for (const step of [72, 90, 101, 120, 150]) film.follow(frame(step, 0.5));
  assert.deepEqual(
    film.all.map(({ step }) => step),
    [0, 50, 71, 101, 150],
  );
  assert.deepEqual([...(film.near(50)?.layers[0] || [])], [3, 4]);
  assert.equal(film.near(100)?.step, 101);
  assert.equal(film.near(150)?.layers[0][0], 128);
  assert.equal(film.near(400), null);
});

test("live frames that came before the server's answer are kept", () => {
  const film = new FilmMoments();
  for (const step of [0, 49, 60, 100]) film.follow(frame(step, 0.25));
  film.take(filmed);
  assert.deepEqual(
    film.all.map(({ step }) => step),
    [0, 50, 71, 100],
  );
});

test("after a reset nothing of the film is left", () => {
  const film = new FilmMoments();
  film.take(filmed);
  film.clear(2);
  assert.deepEqual([film.all, film.newest, film.near(0)], [[], null, null]);
  assert.deepEqual(film.lineage, [{ epoch: 2, upto: Infinity }]);
});

test("an epoch that goes on from another shows that one's steps up to where it began", () => {
  const film = new FilmMoments();
  film.take(filmed);
  assert.ok(isIn(film.lineage, { epoch: 0, step: 60 }));
  assert.ok(!isIn(film.lineage, { epoch: 0, step: 61 }));
  assert.ok(isIn(film.lineage, { epoch: 1, step: 999 }));
  assert.ok(!isIn(lineageOf(null, 3), { epoch: 2, step: 0 }));
});

test("two arrow keys in a row go two pictures, though the film is not drawn between them", () => {
  /** @type {number[]} */
  const asked = [];
  const film = new Film("scrub", {
    seek: (step) => asked.push(step),
    live: () => assert.fail("nobody asked for that"),
    play: () => assert.fail("nobody asked for that"),
    at: () => asked.at(-1) ?? null,
  });
  film.show({ axis: new Axis(300, 0, 700), rows: [], layer: 0, step: null, changes: [] });
  const press = (/** @type {string} */ key) => film.track.dispatchEvent(new KeyboardEvent("keydown", { key }));
  ["Home", "ArrowRight", "ArrowRight"].forEach(press);
  assert.deepEqual(asked, [0, 50, 71]);
});
