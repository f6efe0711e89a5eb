// All pictures of a view: which frame, which layer, which lens, and what is under the pointer.

import { announce } from "../core/announcer.js";
import { architectureOf } from "../core/architectures.js";
import { Clashes } from "../core/clashes.js";
import { element } from "../core/element.js";
import { Focus } from "../core/focus.js";
import { NOT_RECORDED } from "../core/recorded.js";
import { Card } from "./card.js";
import { LayerSwitch } from "./layer_switch.js";
import { LensSwitch } from "./lens_switch.js";
import { PicturePanel, layerOf } from "./panel.js";
import { isDrawn } from "./picture.js";
import { PICTURES } from "./registry.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Context, Lens } from "./picture.js" */

const HINTS = {
  matrix: "a row is an expert: read across; outlined: its own block",
  threads: "point at an expert or a block: its threads",
};

export class Pictures {
  /** The page's one layer, from 0. */
  layer = 0;
  /** @type {Lens} */
  lens = "matrix";
  /** The frame that is shown. @type {Frame | null} */
  frame = null;
  focus = new Focus(() => this.#light());
  /** What the pointed cell says. */
  #sentence = "";
  #layers = 0;
  /** @type {string | null} */
  #runId = null;
  /** Running means of conflict, one a layer. @type {Clashes[]} */
  #clashes = [];
  #note = element("p", { className: "not-recorded", textContent: NOT_RECORDED, hidden: true });
  #band = element("div", { className: "figure-band", hidden: true });
  #model;
  #onView;
  #centre;
  #reading;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {(changes: Record<string, string | null>) => void} onView keeps the link up to date
   */
  constructor(parts, model, onView) {
    this.#model = model;
    this.#onView = onView;
    this.#centre = parts.find("centre");
    this.#reading = parts.find("reading");
    this.card = new Card(parts);
    const pointed = {
      point: this.#say((target) => this.focus.point(target)),
      move: this.#say((target) => this.focus.move(target), true),
      pin: this.#say((target) => this.focus.pin(target)),
      leave: () => this.focus.point(null),
      free: () => this.focus.free(),
    };
    this.panels = PICTURES.map((picture) => new PicturePanel(picture, () => this.layer, pointed));
    parts.find("pictures").append(this.#band, ...this.panels.map((panel) => panel.section), this.#note);
    this.layers = new LayerSwitch(parts.find("layers"), (layer) => this.setLayer(layer));
    this.lenses = new LensSwitch(parts.find("lenses"), (lens) => this.setLens(lens));
  }

  close() {
    for (const panel of this.panels) panel.heatmap.close();
  }

  /**
   * What a pointed cell says stands in one place, and is read aloud where the keyboard is used.
   *
   * @param {(target: import("../core/focus.js").Target) => void} then
   * @param {boolean} [aloud]
   */
  #say(then, aloud = false) {
    return (/** @type {import("../core/focus.js").Target} */ target, /** @type {string} */ sentence) => {
      if (!this.focus.pinned || aloud) this.#sentence = sentence;
      then(target);
      if (this.focus.pinned) this.#sentence = sentence;
      if (aloud) announce(sentence);
      this.#tell();
    };
  }

  /** Take a live frame into the running means, whether it is looked at or not. @param {Frame} frame */
  follow(frame) {
    frame.layers.forEach(({ conflict }, l) => {
      if (conflict) (this.#clashes[l] = this.#clashes[l] || new Clashes()).add(frame, conflict);
    });
  }

  /** Draw a frame. @param {Frame} frame */
  show(frame) {
    this.frame = frame;
    const context = this.#context();
    if (!context) return;
    const words = architectureOf(this.#model);
    for (const panel of this.panels) {
      if (!panel.section.hidden) panel.show(frame, this.layer, context, panel.picture.absent(words));
    }
  }

  /** @returns {Context | null} */
  #context() {
    const { hello, frame: live } = this.#model;
    if (!hello || !this.frame) return null;
    const clashes = this.frame === live ? this.#clashes[this.layer] || null : null;
    return { hello, step: this.frame.step, clashes, target: this.focus.target };
  }

  /**
   * A picture of what the page shows, drawn or not: behind another lens the last one drawn may be of another step.
   *
   * @param {string} name
   */
  toTake(name) {
    const panel = this.panels.find(({ picture }) => picture.name === name);
    const context = this.#context();
    const matrix = this.frame && context && panel ? panel.matrixOf(this.frame, this.layer, context) : null;
    return panel && matrix ? { matrix, picture: panel.picture, size: panel.sizeToTake } : null;
  }

  /** For screen readers and the card; once a second is often enough. */
  describe() {
    const context = this.#context();
    for (const panel of this.panels) panel.describe(this.frame, this.layer, context);
    if (this.focus.target) this.#tell();
  }

  /** What is under the pointer has changed. */
  #light() {
    if (!this.focus.target) this.#sentence = "";
    const row = this.focus.target?.expert ?? null;
    const at =
      row === null
        ? null
        : this.panels
            .map((panel) =>
              panel.picture.lens !== undefined || panel.picture.name === "routing" ? panel.rowBox(row) : null,
            )
            .find(Boolean);
    this.#band.hidden = !at;
    if (at) {
      this.#band.style.transform = `translateY(${Math.round(at.top)}px)`;
      this.#band.style.height = `${Math.round(at.height)}px`;
    }
    if (this.frame) this.show(this.frame);
    this.#tell();
  }

  #tell() {
    const text = this.#sentence || HINTS[this.lens];
    if (this.#reading.textContent !== text) this.#reading.textContent = text;
    const context = this.#context();
    const layer = this.frame && layerOf(this.frame, this.layer);
    this.card.show(context && layer ? { layer, context, sentence: this.#sentence } : null, this.focus.pinned);
  }

  /** Layer, lens or colours changed: draw everything anew. */
  repaint() {
    this.#mark();
    if (this.frame) this.show(this.frame);
    else for (const panel of this.panels) panel.heatmap.redraw();
    this.#tell();
  }

  /** @param {number} layer */
  setLayer(layer) {
    if (layer < 0 || layer >= this.#model.layers) return;
    this.layer = layer;
    this.#onView({ layer: layer ? String(layer + 1) : null });
    this.repaint();
  }

  /** @param {Lens} lens */
  setLens(lens) {
    this.lens = lens;
    this.#onView({ lens: this.lensInLink });
    this.repaint();
  }

  /** The lens as a link names it: none for the usual one. */
  get lensInLink() {
    return this.lens === "matrix" ? null : this.lens;
  }

  /** Fit the panels to the model: its layers, and what it has. */
  setUp() {
    const { layers, hasTopology, isRecorded, run } = this.#model;
    this.#centre.classList.toggle("no-topology", !hasTopology);
    this.#centre.classList.toggle("is-recorded", isRecorded);
    this.#note.hidden = !isRecorded;
    this.layer = Math.min(this.layer, layers - 1);
    if (this.#layers !== layers) {
      this.#layers = layers;
      this.layers.setUp(layers);
    }
    const runId = run ? run.run_id : null;
    const isAnother = this.#runId !== runId;
    if (isAnother) {
      this.#runId = runId;
      this.frame = null;
      this.#clashes = [];
      this.focus.free();
    }
    this.#mark();
    if (!isAnother) return;
    const words = architectureOf(this.#model);
    for (const { picture, heatmap } of this.panels) {
      if (isDrawn(picture, this.#model)) heatmap.clear();
      else heatmap.say(picture.absent(words)); // said before the first frame, too
    }
  }

  #mark() {
    const { hello, hasTopology, isRecorded } = this.#model;
    for (const panel of this.panels) {
      const isPresent = isDrawn(panel.picture, this.#model);
      panel.mark({ lens: this.lens, hello, isPresent, hasTopology: hasTopology || isRecorded });
    }
    this.layers.mark(this.layer);
    this.lenses.mark(this.lens);
  }
}
