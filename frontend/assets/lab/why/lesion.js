// Muting an expert or a link on a copy: accuracy of each task and class with it and without, and a way back.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { count, shortName } from "../core/format.js";
import { request, runPath } from "../core/requests.js";
import { block, expert } from "../pictures/picture.js";

/** @import { Hello, LesionAnswer } from "../core/messages.js" */

/**
 * @typedef {object} LesionOf what could be muted
 * @property {string} run
 * @property {number} epoch
 * @property {number} step
 * @property {number} layer
 * @property {number} expert
 * @property {number | null} block null for the whole expert
 * @property {Hello} hello
 */

/** A part in words. @param {{ expert: number, block: number | null }} part */
export const partName = (part) =>
  part.block === null ? expert(part.expert) : `${expert(part.expert)} to ${block(part.block)}`;

export class Lesion {
  root = element("section", { className: "lesion", hidden: true });
  #result = element("div", {});
  #buttons = element("div", { className: "lesion-buttons" });
  /** @type {LesionOf | null} */
  #of = null;
  #draw = 0;
  #visit = 0;

  constructor() {
    this.root.setAttribute("aria-label", "Muted on a copy");
    this.#result.setAttribute("aria-live", "polite");
    this.root.append(this.#buttons, this.#result);
  }

  /** Offer to mute something else; null for nothing. What is muted stays while it is the same. @param {LesionOf | null} of */
  offer(of) {
    const before = this.#of;
    this.#of = of;
    this.root.hidden = of === null;
    if (!of) {
      this.#undo();
      return;
    }
    const same =
      before &&
      ["run", "epoch", "layer", "expert", "block"].every((key) => Reflect.get(before, key) === Reflect.get(of, key));
    if (same) return;
    this.#draw = 0;
    this.#undo();
  }

  #undo() {
    this.#visit += 1;
    this.#result.replaceChildren();
    const of = this.#of;
    if (!of) return;
    const what = of.block === null ? "expert" : "link";
    this.#buttons.replaceChildren(
      button("mute", "Mute on a copy", () => this.#mute(null)),
      button("random", `A random ${what}`, () => this.#mute((this.#draw += 1))),
    );
  }

  /** @param {number | null} draw */
  async #mute(draw) {
    const of = this.#of;
    if (!of) return;
    const visit = (this.#visit += 1);
    this.#result.replaceChildren(element("p", { className: "subtitle", textContent: "Measuring on the test images…" }));
    const query = new URLSearchParams({ epoch: String(of.epoch), step: String(of.step) });
    if (of.block !== null) query.set("block", String(of.block));
    if (draw !== null) query.set("draw", String(draw));
    const found = await request("GET", `${runPath(of.run)}/lesion/${of.layer}/${of.expert}?${query}`);
    if (visit !== this.#visit) return;
    if (!found.ok) {
      this.#result.replaceChildren(element("p", { className: "inquiry-problem", textContent: found.reason }));
      return;
    }
    this.#result.replaceChildren(...told(found.body, of.hello, draw !== null));
    const undo = button("undo", "Undo", () => this.#undo());
    if (!this.#buttons.querySelector("[data-lesion=undo]")) this.#buttons.append(undo);
    this.#result.querySelector("table")?.scrollIntoView?.({ block: "nearest" }); // the card may end above it
    announce(this.#result.querySelector("caption")?.textContent ?? "");
  }
}

/**
 * @param {LesionAnswer} answer
 * @param {Hello} hello
 * @param {boolean} isDrawn
 */
function told(answer, hello, isDrawn) {
  const rows = hello.tasks.map(({ label }, q) => row(shortName(label), answer.before_mean[q], answer.after_mean[q]));
  const name = `${isDrawn ? "Drawn: " : ""}${partName(answer)}, ${count(answer.dims)} dimensions, muted on a copy of step ${count(answer.step)}`;
  const classes = hello.tasks.flatMap(({ label, class_names: names }, q) =>
    answer.before[q].map((before, c) => row(`${shortName(label)} ${names[c] ?? c}`, before, answer.after[q][c])),
  );
  return [
    table(name, rows),
    element(
      "details",
      { className: "lesion-classes" },
      element("summary", { textContent: "Each class" }),
      table("Accuracy of each class", classes),
    ),
    element("p", { className: "subtitle", textContent: "This run is untouched, and nothing is written into its log." }),
  ];
}

/** @param {string} caption @param {HTMLElement[]} rows */
function table(caption, rows) {
  const head = ["", "whole", "muted", "change"].map((textContent) => element("th", { scope: "col", textContent }));
  return element(
    "table",
    { className: "inquiry-table" },
    element("caption", { textContent: caption }),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}

/** @param {string} name @param {number | null} before @param {number | null} after */
function row(name, before, after) {
  const cells =
    before === null || after === null
      ? ["no images", "", ""]
      : [`${tenths(before)} %`, `${tenths(after)} %`, points(before, after)];
  return element(
    "tr",
    {},
    element("th", { scope: "row", textContent: name }),
    ...cells.map((textContent) => element("td", { textContent })),
  );
}

/** A share in percent to a tenth: of 1,500 test images one is 0.07 points. @param {number} share */
const tenths = (share) => (Math.round(1000 * share) / 10).toFixed(1);

/** What lies between two shares as they are shown, in points with its sign. @param {number} before @param {number} after */
export function points(before, after) {
  const rounded = Math.round(1000 * after) - Math.round(1000 * before);
  return rounded === 0 ? "0" : `${rounded > 0 ? "+" : "−"}${(Math.abs(rounded) / 10).toFixed(1)}`;
}

/** @param {string} name @param {string} textContent @param {() => void} act */
function button(name, textContent, act) {
  const made = element("button", { type: "button", className: "button", textContent, dataset: { lesion: name } });
  made.addEventListener("click", act);
  return made;
}
