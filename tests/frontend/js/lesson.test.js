import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { freshPage, the } from "./page.js";
import { LessonCard } from "../../../frontend/assets/lab/lessons/card.js";
import { stacked } from "../../../frontend/assets/lab/lessons/dots.js";
import { progress } from "../../../frontend/assets/lab/lessons/progress.js";

/** @import { Lesson, Look } from "../../../frontend/assets/lab/lessons/told.js" */
/** @import { RoomSaid } from "../../../frontend/assets/lab/core/messages.js" */
/** @import { RoomLesson } from "../../../frontend/assets/lab/room/room.js" */

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
/** What the card has said to the room. @type {RoomSaid[]} */
let said = [];
/** The lesson as the room has it; null outside a room. @type {RoomLesson | null} */
let asked = null;
/** @type {LessonCard} */
let card;

beforeEach(() => {
  [moved, link, said, asked] = [[], [], [], null];
  localStorage.clear();
  const lessons = [aLesson({}), aLesson({ key: "second", place: 2, next: null })];
  const body = JSON.stringify({ lessons, refused: [] });
  globalThis.fetch = async () => new Response(body, { headers: { "Content-Type": "application/json" } });
  freshPage('<div data-run-view><section id="card" hidden></section></div>');
  const lab = {
    move: (/** @type {Look} */ _, /** @type {number | null} */ step) => void moved.push(step),
    startLive: () => void moved.push(-1),
    addressed: (/** @type {string | null} */ key) => void link.push(key),
  };
  card = new LessonCard(the("#card"), lab, { lesson: () => asked, say: (message) => void said.push(message) });
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

test("in a room a prediction is counted, may be changed, and is answered when the presenter reveals", async () => {
  asked = { isPresenter: false, people: 26, answered: 11, counts: null, chosen: null };
  await card.open("first");
  assert.match(words(), /11 of 26 in the room have answered/);
  said = [];
  the('[data-answer="2"]').click();
  assert.deepEqual(said, [{ type: "predict", lesson: "first", answer: 2 }]);
  assert.doesNotMatch(words(), /what happened|your answer/, "nothing is told before the server has counted it");
  asked = { ...asked, answered: 12, chosen: 2 };
  const before = the('[data-answer="0"]');
  card.follow();
  assert.equal(the('[data-answer="0"]'), before, "what is under the finger stays there while others answer");
  assert.match(words(), /all.*your answer.*12 of 26 in the room have answered/);
  the('[data-answer="1"]').click();
  assert.deepEqual(said[1], { type: "predict", lesson: "first", answer: 1 });
  asked = { ...asked, answered: 26, counts: [3, 9, 14], chosen: 1 };
  card.follow();
  assert.match(words(), /some.*what happened.*your answer.*9.*26 answers in the room.*It was 5 of them/);
  assert.equal(the('[data-answer="2"]').style.getPropertyValue("--share"), "54%");
  assert.deepEqual(moved, [7, null]);
  assert.deepEqual(progress(), { first: "done" });
});

test("a presenter asks, sees how many have answered, and reveals", async () => {
  asked = { isPresenter: true, people: 2, answered: 0, counts: null, chosen: null };
  await card.open("first");
  assert.deepEqual(said, [{ type: "ask", lesson: "first" }]);
  the('[data-answer="1"]').click();
  assert.doesNotMatch(words(), /what happened/, "a presenter does not answer its own question");
  asked = { ...asked, answered: 1 };
  card.follow();
  assert.match(words(), /1 of 2 in the room has answered/);
  the(".lesson-foot .button-primary").click();
  assert.deepEqual(said.at(-1), { type: "reveal", lesson: "first" });
  asked = { ...asked, counts: [0, 1, 0] };
  card.follow();
  assert.match(words(), /some.*what happened.*1 answer in the room/);
  card.close();
  assert.deepEqual(said.at(-1), { type: "ask", lesson: null });
});

test("a presenter whose lesson was open before the room asks it as soon as it has come in", async () => {
  await card.open("first");
  said = [];
  asked = { isPresenter: true, people: 2, answered: 0, counts: null, chosen: null };
  card.follow();
  card.follow();
  assert.deepEqual(said, [{ type: "ask", lesson: "first" }]);
  assert.match(words(), /0 of 2 in the room have answered.*Reveal/);
});

test("a link to no lesson says so", async () => {
  await card.open("third");
  assert.match(words(), /There is no lesson “third” here\./);
});

test("a run whose seeds lie apart takes no more height than it needs", async () => {
  const { dots } = await import("../../../frontend/assets/lab/lessons/dots.js");
  const group = (/** @type {number[]} */ values) => ({ values, seeds: values.map((_, seed) => seed), shown: 0 });
  const height = (/** @type {number[][]} */ ...runs) =>
    Number(
      dots({ groups: runs.map(group), axis: [0, 64], unit: "links" })
        .getAttribute("viewBox")
        ?.split(" ")[3],
    );
  const [together, apart] = [Array(10).fill(56), [2, 9, 16, 26]];
  assert.equal(height(together, apart) - height(together), height(apart, apart) - height(apart));
  assert.ok(height(together, apart) < height(together, together));
});

test("dots in one place stand on one another", () => {
  assert.deepEqual(stacked([10, 11, 30, 12]), [0, 1, 0, 2]);
});
