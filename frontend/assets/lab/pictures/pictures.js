// All pictures of a view: which frame, which layers, logits or not.

import { architectureOf } from "../core/architectures.js";
import { LayerSwitch } from "./layer_switch.js";
import { PicturePanel } from "./panel.js";
import { PICTURES } from "./registry.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

export class Pictures {
  /** The page's one layer, from 0. */
  layer = 0;
  raw = false;
  /** @type {Frame | null} */
  #frame = null;
  #layers = 0;
  /** @type {string | null} */
  #runId = null;
  /** Switches outside of the pictures that choose the same layer. @type {LayerSwitch[]} */
  #switches;
  #model;
  #onView;
  #centre;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {(changes: Record<string, string | null>) => void} onView keeps the link up to date
   */
  constructor(parts, model, onView) {
    this.#model = model;
    this.#onView = onView;
    this.#centre = parts.find("centre");
    const choose = {
      /**
       * @param {PicturePanel} panel
       * @param {number} layer
       */
      layer: (panel, layer) => (panel.slot === null ? this.setLayer(layer) : this.#setSlot(panel, layer)),
      /** @param {boolean} raw */
      raw: (raw) => this.setRaw(raw),
    };
    this.panels = PICTURES.flatMap((picture) => {
      const slots = picture.slots ? Array.from({ length: picture.slots }, (_, slot) => slot) : [null];
      return slots.map((slot) => new PicturePanel(picture, slot, choose));
    });
    parts.find("pictures").append(...this.panels.map((panel) => panel.section));
    const elsewhere = parts.has("layers-time") ? [parts.find("layers-time")] : [];
    this.#switches = elsewhere.map((host) => new LayerSwitch(host, (layer) => this.setLayer(layer)));
  }

  close() {
    for (const panel of this.panels) panel.heatmap.close();
  }

  /** Draw a frame. @param {Frame} frame */
  show(frame) {
    this.#frame = frame;
    const { hello } = this.#model;
    if (!hello) return;
    const words = architectureOf(this.#model);
    for (const panel of this.panels) {
      if (!panel.section.hidden) panel.show(frame, hello, this.raw, panel.picture.absent(words));
    }
  }

  /** For screen readers; once a second is often enough. */
  describe() {
    for (const panel of this.panels) panel.heatmap.describe();
  }

  /** Layer, values or colours changed: draw everything anew. */
  repaint() {
    this.#mark();
    if (this.#frame) this.show(this.#frame);
    else for (const panel of this.panels) panel.heatmap.redraw();
  }

  /** @param {number} layer */
  setLayer(layer) {
    if (layer < 0 || layer >= this.#model.layers) return;
    this.layer = layer;
    this.#onView({ layer: layer ? String(layer + 1) : null });
    this.repaint();
  }

  /** @param {boolean} raw */
  setRaw(raw) {
    this.raw = raw;
    this.#onView({ view: raw ? "logits" : null });
    this.repaint();
  }

  /**
   * @param {PicturePanel} panel
   * @param {number} layer
   */
  #setSlot(panel, layer) {
    panel.layer = layer;
    this.repaint();
  }

  /** Fit the panels to the model: its layers, and what it has. */
  setUp() {
    const { layers, hasRouting, run } = this.#model;
    this.#centre.classList.toggle("one-layer", layers === 1);
    this.#centre.classList.toggle("no-routing", !hasRouting);
    this.layer = Math.min(this.layer, layers - 1);
    if (this.#layers !== layers) {
      this.#layers = layers;
      for (const { slot, layers: buttons } of this.panels) buttons.setUp(slot === null || layers > 2 ? layers : 0);
      for (const panel of this.panels) panel.layer = Math.min(panel.slot ?? this.layer, layers - 1);
      for (const buttons of this.#switches) buttons.setUp(layers);
    }
    this.#mark();
    const runId = run ? run.run_id : null;
    if (this.#runId === runId) return;
    this.#runId = runId;
    this.#frame = null;
    const words = architectureOf(this.#model);
    for (const { picture, heatmap } of this.panels) {
      if (picture.isOf(this.#model)) heatmap.clear();
      else heatmap.say(picture.absent(words)); // said before the first frame, too
    }
  }

  #mark() {
    const { hello, layers } = this.#model;
    for (const panel of this.panels) {
      if (panel.slot === null) panel.layer = this.layer;
      panel.mark({ layers, raw: this.raw, hello, isPresent: panel.picture.isOf(this.#model) });
    }
    for (const buttons of this.#switches) buttons.mark(this.layer);
  }
}
