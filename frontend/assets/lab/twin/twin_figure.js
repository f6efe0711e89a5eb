// The figure of a comparison: both runs in one lens, or their difference, with one thing pointed at in both.

import { announce } from "../core/announcer.js";
import { colours, ofTask } from "../core/colours.js";
import { element } from "../core/element.js";
import { Focus } from "../core/focus.js";
import { count, shortName } from "../core/format.js";
import { layerOf } from "../pictures/panel.js";
import { isDrawn } from "../pictures/picture.js";
import { DifferenceView } from "./difference_view.js";
import { Side, pictureOf } from "./side.js";
import { topOf, workOf } from "./work.js";

/** @import { Target } from "../core/focus.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Shown, TwinLens } from "./side.js" */

/** @type {[TwinLens, string][]} */
const LENSES = [
  ["matrix", "Matrix"],
  ["threads", "Threads"],
  ["routing", "Routing"],
  ["conflict", "Conflict"],
  ["difference", "Difference"],
];

/** @param {string | undefined} name @returns {TwinLens} */
export const twinLensOf = (name) => LENSES.find(([lens]) => lens === name)?.[0] ?? "matrix";

export class TwinFigure {
  /** @type {TwinLens} */
  lens = "matrix";
  focus = new Focus(() => this.onLight());
  /** What the pointed cell says. */
  sentence = "";
  #reading;
  #buttons;

  /**
   * @param {Parts} parts
   * @param {{ light: () => void, lens: (lens: TwinLens) => void }} on
   */
  constructor(parts, on) {
    this.onLight = () => {
      if (!this.focus.target) this.sentence = "";
      on.light();
    };
    this.host = parts.find("twin");
    this.#reading = parts.find("twin-reading");
    /** @param {"A" | "B" | null} letter */
    const pointed = (letter) => {
      /** @param {(target: Target) => void} then @param {boolean} [aloud] */
      const say =
        (then, aloud = false) =>
        (/** @type {Target} */ target, /** @type {string} */ text) => {
          const said = letter ? this.#inBoth(letter, target, text) : text;
          if (!this.focus.pinned || aloud) this.sentence = said;
          then(target);
          if (this.focus.pinned) this.sentence = said;
          if (aloud) announce(said);
          on.light();
        };
      return {
        point: say((target) => this.focus.point(target)),
        move: say((target) => this.focus.move(target), true),
        pin: say((target) => this.focus.pin(target)),
        leave: () => this.focus.point(null),
        free: () => this.focus.free(),
      };
    };
    this.a = new Side("A", pointed("A"));
    this.b = new Side("B", pointed("B"));
    this.difference = new DifferenceView(pointed(null));
    this.sides = element("div", { className: "twin-sides" }, this.a.element, this.b.element);
    this.host.append(this.sides, this.difference.element);
    this.#buttons = LENSES.map(([lens, textContent]) => {
      const button = element("button", { type: "button", textContent, dataset: { lens } });
      button.addEventListener("click", () => on.lens(lens));
      return button;
    });
    parts.find("twin-lenses").replaceChildren(...this.#buttons);
  }

  close() {
    this.a.close();
    this.b.close();
    this.difference.close();
  }

  /**
   * A cell's sentence in both runs, where the other has that cell.
   *
   * @param {"A" | "B"} letter
   * @param {Target} target
   * @param {string} text of the side pointed at
   */
  #inBoth(letter, target, text) {
    const other = letter === "A" ? this.b : this.a;
    const { row, col } = pictureOf(this.lens).lit(target);
    const there = text && row !== null && col !== null ? other.read(row, col) : "";
    const rest = there.slice(there.indexOf(": ") + 2);
    return there ? `${letter}, ${text}. ${other.letter}: ${rest}` : text && `${letter}, ${text}`;
  }

  /** Which lenses both models have. @param {Model} a @param {Model} b */
  setUp(a, b) {
    const models = [a, b];
    for (const button of this.#buttons) {
      const lens = /** @type {TwinLens} */ (button.dataset.lens);
      button.hidden = !models.every((model) => isDrawn(pictureOf(lens), model));
    }
    if (this.#buttons.some((button) => button.dataset.lens === this.lens && button.hidden)) {
      this.lens = twinLensOf(this.#buttons.find((button) => !button.hidden)?.dataset.lens);
    }
    for (const button of this.#buttons) button.setAttribute("aria-pressed", String(button.dataset.lens === this.lens));
  }

  /** The lens after the present one. @returns {TwinLens} */
  get next() {
    const shown = this.#buttons.filter((button) => !button.hidden).map((button) => twinLensOf(button.dataset.lens));
    return shown[(shown.indexOf(this.lens) + 1) % shown.length];
  }

  /**
   * @param {Shown} a
   * @param {Shown} b
   * @param {number} layer
   */
  show(a, b, layer) {
    const isDifference = this.lens === "difference";
    this.sides.hidden = isDifference;
    this.difference.element.hidden = !isDifference;
    const [own, other] = [a, b].map(({ frame }) => (frame ? layerOf(frame, layer) : undefined));
    const { target } = this.focus;
    if (isDifference) {
      const steps = [a, b].map(({ frame }) => (frame ? count(frame.step) : "–"));
      const told = steps[0] === steps[1] ? `at step ${steps[0]}` : `A at step ${steps[0]}, B at ${steps[1]}`;
      this.difference.show(own?.connection, other?.connection, { layer, target, steps: told });
    } else {
      const leastTop = Math.max(...[a, b].map((shown) => Side.topOf(shown, layer, this.lens)));
      const how = { layer, lens: this.lens, target, top: topOf(workOf(own), workOf(other)), leastTop };
      this.a.show(a, how);
      this.b.show(b, how);
    }
    this.#read(a.hello);
  }

  /** @param {Hello | null} hello */
  #read(hello) {
    const key = this.sentence || `${this.lens} ${(hello?.tasks ?? []).map(({ label }) => label).join()}`;
    if (this.#reading.dataset.says === key) return;
    this.#reading.dataset.says = key;
    if (this.sentence || !hello || this.lens === "difference") {
      this.#reading.textContent = this.sentence;
      return;
    }
    const tasks = hello.tasks.map(({ label }, q) => {
      const swatch = element("span", { className: "task-swatch" });
      swatch.style.background = ofTask(colours.tasks, q);
      return element("span", { className: "legend-item" }, swatch, shortName(label));
    });
    this.#reading.replaceChildren("work: ", ...tasks);
  }

  /** The colours have changed. */
  repaint() {
    this.#reading.dataset.says = "";
    this.difference.repaint();
  }

  /** For screen readers; once a second is often enough. */
  describe() {
    if (this.lens === "difference") this.difference.describe();
    else for (const side of [this.a, this.b]) side.describe();
  }
}
