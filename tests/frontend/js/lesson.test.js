import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { freshPage, the } from "./page.js";
import { LessonCard } from "../../../frontend/assets/lab/lessons/card.js";
import { stacked } from "../../../frontend/assets/lab/lessons/dots.js";
import { progress } from "../../../frontend/assets/lab/lessons/progress.js";

/** @import { Lesson, Look } from "../../../frontend/assets/lab/lessons/told.js" */

const LOOK = /** @type {Look} */ ({
  run: "one",
  beside: "two",
  layer: 0,
  lens: "matrix",
  chart: "cut",
  begin: 7,
  moment: null,
});

/** @param {Partial<Lesson>} fields @returns {Lesson} */
const aLesson = (fields) => ({
  key: "first",
  place: 1,
  of: 2,
  next: "second",
  title: "What is it?",
  card: "",
  minutes: 4,
  before: "Two sentences. They are short.",
  ask: "How many?",
  answers: ["none", "some", "all"],
  right: 1,
  look: LOOK,
  after: "It was 5 of them.",
  unit: "links cut",
  axis: [0, 64],
  groups: [
    { seeds: [0, 1, 2], values: [50, 51, 52], shown: 0 },
    { seeds: [0, 1, 2], values: [5, 5, 20], shown: 0 },
  ],
  claim: { text: "It is so.", verdict: "fails", tone: "fails", address: "/claims#claim-x", measured: "0.5 [0, 1]" },
  ...fields,
});

/** Where the Lab was asked to stand. @type {(number | null)[]} */
let moved = [];
/** @type {(string | null)[]} */
let link = [];
/** @type {LessonCard} */
let card;

beforeEach(() => {
  [moved, link] = [[], []];
  localStorage.clear();
  const lessons = [aLesson({}), aLesson({ key: "second", place: 2, next: null })];
  const body = JSON.stringify({ lessons, refused: [] });
  globalThis.fetch = async () => new Response(body, { headers: { "Content-Type": "application/json" } });
  freshPage('<div data-run-view><section id="card" hidden></section></div>');
  card = new LessonCard(the("#card"), {
    move: (_, step) => moved.push(step),
    startLive: () => moved.push(-1),
    addressed: (key) => link.push(key),
  });
});

const words = () => the("#card").textContent ?? "";

test("a lesson asks before it tells, and the Lab stands where it begins", async () => {
  await card.open("first");
  assert.match(words(), /Lesson 1 of 2.*What is it\?.*How many\?.*nonesomeall/);
  assert.doesNotMatch(words(), /It was 5|what happened|It is so/);
  assert.deepEqual([moved, link], [[7], ["first"]]);
  assert.deepEqual(progress(), { first: "half" });
  assert.ok(the("[data-run-view]").classList.contains("has-lesson"));
  assert.ok(the("[data-run-view]").classList.contains("is-asking"), "what would tell the answer is not seen");
  the('[data-answer="2"]').click();
  assert.ok(!the("[data-run-view]").classList.contains("is-asking"));
});

test("the prediction is answered at once, with the seeds and the claim's verdict, and the Lab moves itself", async () => {
  await card.open("first");
  the('[data-answer="2"]').click();
  assert.match(the('[data-answer="1"]').textContent ?? "", /some.*what happened/);
  assert.match(the('[data-answer="2"]').textContent ?? "", /all.*your answer/);
  assert.match(words(), /It was 5 of them\.links cut, 3 recorded seeds of each/);
  assert.equal(document.querySelectorAll(".dots-dot").length, 6);
  assert.equal(document.querySelectorAll(".dots-band").length, 2);
  assert.equal(
    the(".lesson-dots").getAttribute("aria-label"),
    "A: 50, 51, 52 links cut, 3 seeds. B: 5, 5, 20 links cut, 3 seeds.",
  );
  assert.equal(the(".lesson-claim b").textContent, "fails");
  assert.equal(the(".lesson-claim a").getAttribute("href"), "/claims#claim-x");
  assert.deepEqual(moved, [7, null]);
  assert.deepEqual(progress(), { first: "done" });
  the('[data-answer="0"]').click(); // an answer is given once
  assert.deepEqual(moved, [7, null]);
});

test("the next lesson follows, and the last one leads to all", async () => {
  await card.open("first");
  the('[data-answer="1"]').click();
  assert.match(the('[data-answer="1"]').textContent ?? "", /what happened.*your answer/);
  /** @type {HTMLElement} */ (the(".lesson-foot .button-primary")).click();
  await new Promise((done) => setTimeout(done, 5));
  assert.match(words(), /Lesson 2 of 2/);
  the('[data-answer="1"]').click();
  assert.equal(document.querySelectorAll(".lesson-foot .button-primary").length, 0);
  card.close();
  assert.ok(the("#card").hidden);
  assert.equal(link.at(-1), null);
});

test("a link to no lesson says so", async () => {
  await card.open("third");
  assert.match(words(), /There is no lesson “third” here\./);
});

test("dots in one place stand on one another", () => {
  assert.deepEqual(stacked([10, 11, 30, 12]), [0, 1, 0, 2]);
});
