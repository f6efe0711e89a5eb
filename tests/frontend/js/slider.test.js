import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { freshPage, the } from "./page.js";
import { Slider } from "../../../frontend/assets/lab/controls/slider.js";
import { POSITIONS, SliderScale } from "../../../frontend/assets/lab/controls/slider_scale.js";
import { settings } from "../../../frontend/assets/lab/core/settings.js";

/** @import { Answer } from "../../../frontend/assets/lab/core/requests.js" */

const { p_drop: linear, lambda_conflict: withZero, lr_ratio: logarithmic } = settings.controls;

for (const spec of [linear, withZero, logarithmic]) {
  test(`every position of a ${spec.scale} scale is the position of its value`, () => {
    const scale = new SliderScale(spec);
    for (const position of [0, 1, 250, 999, POSITIONS]) {
      assert.ok(Math.abs(scale.position(scale.value(position)) - position) < 1e-6);
    }
    assert.equal(scale.rounded(0), spec.low);
    assert.equal(scale.rounded(POSITIONS), spec.high);
  });

  test(`arrow keys walk a ${spec.scale} scale from end to end, each to another value`, () => {
    const scale = new SliderScale(spec);
    let value = spec.low;
    let steps = 0;
    while (value < spec.high) {
      const next = scale.byKey("ArrowUp", value) ?? NaN;
      assert.ok(next > value);
      value = next;
      steps += 1;
    }
    assert.ok(steps > 50);
    assert.equal(scale.byKey("ArrowUp", spec.high), spec.high);
    assert.equal(scale.byKey("Home", value), spec.low);
    assert.equal(scale.byKey("x", value), undefined);
  });
}

test("Page moves by a tenth of the scale", () => {
  assert.equal(new SliderScale(linear).byKey("PageDown", 0.5), 0.4);
});

test("what is typed is a value within the bounds, or a sentence that says why not", () => {
  const scale = new SliderScale(logarithmic);
  assert.deepEqual(scale.read(" 2,5 × "), { value: 2.5, problem: null });
  assert.equal(
    scale.read("1,000").problem,
    "rate ratio must be written with a decimal point and without thousands separators. Found 1,000.",
  );
  assert.equal(scale.read("40").problem, "rate ratio must be 1 to 20. Found 40.");
  assert.equal(scale.read("").problem, "rate ratio must be 1 to 20. Found nothing.");
});

/** A slider of p_drop at 0.5, and the changes that it sends, each answered by hand. */
function aSlider() {
  freshPage('<div id="host"></div>');
  /** @type {{ value: number, answer: (result: Partial<Answer>) => Promise<void> }[]} */
  const sent = [];
  /** @type {(name: string, value: number) => Promise<Answer>} */
  const commit = (_, value) => {
    const { promise, resolve } = withResolvers();
    sent.push({
      value,
      answer: async (result) => {
        resolve({ ok: true, status: 200, body: { applied_step: 7, new: { p_drop: value } }, reason: "", ...result });
        await new Promise(setImmediate);
      },
    });
    return promise;
  };
  const slider = new Slider(the("#host"), { name: "p_drop", spec: linear, id: "p_drop", commit });
  slider.setEnabled(true, "", null);
  slider.setTruth({ requested: 0.5, applied: 0.5, step: 0, life: "a:0" }, 0.5);
  return { slider, sent };
}

/** @returns {{ promise: Promise<Answer>, resolve: (answer: Answer) => void }} */
function withResolvers() {
  /** @type {(answer: Answer) => void} */
  let resolve = () => {};
  const promise = new Promise((found) => (resolve = found));
  return { promise: /** @type {Promise<Answer>} */ (promise), resolve };
}

const state = () => the("#host").dataset.state;

beforeEach(() => mock.timers.reset());

test("a change is under way until it is answered, then says since when it is in force", async () => {
  const { slider, sent } = aSlider();
  slider.ask(0.7);
  assert.equal(state(), "waiting");
  assert.equal(slider.note.textContent, "0.5 in force, waiting for the next step…");
  await sent[0].answer({});
  assert.equal(state(), "changed");
  assert.equal(slider.note.textContent, "0.5 → 0.7 at step 7");
  assert.equal(slider.entry.value, "0.7");
});

test("while a change is under way the run's older truth does not move the slider", async () => {
  const { slider, sent } = aSlider();
  slider.ask(0.7);
  slider.setTruth({ requested: 0.5, applied: 0.5, step: 0, life: "a:0" }, 0.5);
  assert.equal(slider.entry.value, "0.7");
  await sent[0].answer({});
  slider.setTruth({ requested: 0.5, applied: 0.5, step: 0, life: "a:0" }, 0.5);
  assert.equal(slider.entry.value, "0.7");
  slider.setTruth({ requested: 0.5, applied: 0.5, step: 0, life: "a:1" }, 0.5);
  assert.equal(slider.entry.value, "0.5");
});

test("a refusal is said, and the value in force comes back and is said again after a while", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { slider, sent } = aSlider();
  slider.ask(0.7);
  await sent[0].answer({ ok: false, body: {}, reason: "lambda_conflict is in the way." });
  assert.equal(state(), "wrong");
  assert.equal(slider.note.textContent, "λ is in the way.");
  assert.equal(slider.entry.value, "0.5");
  mock.timers.tick(6000);
  assert.equal(state(), "calm");
  assert.equal(slider.problem, null);
});

test("keys pressed in a row are one change", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { slider, sent } = aSlider();
  for (let i = 0; i < 3; i++) slider.range.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
  assert.deepEqual(sent, []);
  mock.timers.tick(250);
  assert.deepEqual(
    sent.map(({ value }) => value),
    [0.53],
  );
});

test("a value that is asked already is not asked again, and another one is sent after it", async () => {
  const { slider, sent } = aSlider();
  slider.ask(0.7);
  slider.ask(0.7);
  slider.ask(0.2);
  assert.deepEqual(
    sent.map(({ value }) => value),
    [0.7, 0.2],
  );
  await sent[0].answer({});
  assert.equal(state(), "waiting");
  await sent[1].answer({});
  assert.equal(slider.entry.value, "0.2");
});

test("the preset's value is offered once the slider left it, and leads back", async () => {
  const { slider, sent } = aSlider();
  assert.equal(slider.back.hidden, true);
  slider.ask(0.7);
  await sent[0].answer({});
  assert.deepEqual([slider.back.hidden, slider.back.textContent], [false, "preset 0.5"]);
  slider.back.dispatchEvent(new MouseEvent("click"));
  assert.equal(sent[1].value, 0.5);
});

test("a control that does nothing for the model is off and says why", () => {
  const { slider } = aSlider();
  slider.setEnabled(true, "", { short: "no effect: this model has no A", full: "There is no A." });
  assert.equal(state(), "unused");
  assert.equal(slider.range.disabled, true);
  assert.equal(slider.range.title, "There is no A.");
  assert.equal(slider.note.textContent, "no effect: this model has no A");
});

test("a change by the run's controller is told as the controller's", () => {
  const { slider } = aSlider();
  slider.setTruth({ requested: 0.6, applied: 0.6, step: 9, life: "a:0", before: 0.5, by: "controller" }, 0.5);
  assert.equal(state(), "steered");
  assert.equal(slider.note.textContent, "0.5 → 0.6 by the controller, step 9");
});
