// The panel of a picture, made from its declaration: it has its full size before there is anything to draw.

import { element } from "../core/element.js";
import { Heatmap } from "./heatmap.js";
import { LayerSwitch } from "./layer_switch.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Hello } from "../core/messages.js" */
/** @import { Picture } from "./picture.js" */

/**
 * @typedef {object} Choices
 * @property {(panel: PicturePanel, layer: number) => void} layer
 * @property {(raw: boolean) => void} raw
 */

export class PicturePanel {
  /** The layer shown. */
  layer = 0;
  #title = element("h2");
  #legend = element("div", { className: "legend" });
  #switch = element("div", { className: "segments layer-switch" });
  /** @type {HTMLButtonElement[]} */
  #values = [];

  /**
   * @param {Picture} picture
   * @param {number | null} slot its place among the layers side by side; null where it shows the page's one layer
   * @param {Choices} choose
   */
  constructor(picture, slot, choose) {
    this.picture = picture;
    this.slot = slot;
    const name = `${picture.name}${slot ?? ""}`;
    const host = element("div", { className: `picture picture-${picture.shape}` });
    const head = element("div", { className: "panel-head" }, this.#title, this.#switch, this.#valueSwitch(choose.raw));
    this.section = element(
      "section",
      { className: `panel panel-${picture.shape} panel-${name}`, dataset: { picture: name } },
      head,
      element("p", { className: "subtitle", textContent: picture.subtitle }),
      host,
      picture.legend ? this.#legend : null,
    );
    this.layers = new LayerSwitch(this.#switch, (layer) => choose.layer(this, layer));
    this.heatmap = new Heatmap(host, () => `${picture.spoken || picture.title}, layer ${this.layer + 1}`);
  }

  /** @param {(raw: boolean) => void} choose */
  #valueSwitch(choose) {
    if (!this.picture.values) return null;
    this.#values = this.picture.values.map(({ text, title, raw }) => {
      const button = element("button", { type: "button", textContent: text, title, dataset: { raw: String(raw) } });
      button.addEventListener("click", () => choose(raw));
      return button;
    });
    const group = element("div", { className: "segments view-switch", role: "group" }, ...this.#values);
    group.setAttribute("aria-label", "Values");
    return group;
  }

  /**
   * Which layer and values are shown, in the title, the switches and the legend.
   *
   * @param {{ layers: number, raw: boolean, hello: Hello | null, isPresent: boolean }} state
   */
  mark({ layers, raw, hello, isPresent }) {
    const named =
      this.slot !== null && layers <= 2 ? `${this.picture.title}, layer ${this.layer + 1}` : this.picture.title;
    this.#title.textContent = named;
    this.section.setAttribute("aria-label", named);
    this.section.hidden = this.slot !== null && this.slot >= layers;
    this.section.classList.toggle("is-absent", !isPresent);
    this.layers.mark(this.layer);
    for (const button of this.#values) button.setAttribute("aria-pressed", String(button.dataset.raw === String(raw)));
    this.#legend.replaceChildren(...(this.picture.legend && isPresent ? this.picture.legend(hello, raw) : []));
  }

  /**
   * @param {Frame} frame
   * @param {Hello} hello
   * @param {boolean} raw
   * @param {string} absent why there is no picture
   */
  show(frame, hello, raw, absent) {
    const arrays = frame.layers[Math.min(this.layer, frame.layers.length - 1)]; // a dense net's frames have no layer
    if (arrays && this.picture.needs.every((name) => name in arrays)) {
      this.heatmap.show(this.picture.matrix(arrays, { hello, raw }));
    } else this.heatmap.say(absent);
  }
}
