// The card of what is under the pointer: one place, which covers nothing. Without it stands who this is for.

import { element } from "../core/element.js";
import { about } from "./about.js";

/** @import { LayerArrays } from "../core/frames.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Context } from "./picture.js" */

export class Card {
  #said = "";

  /** @param {Parts} parts */
  constructor(parts) {
    this.title = parts.find("card-title");
    this.how = parts.find("card-how");
    this.introduction = parts.find("card-introduction");
    this.text = parts.find("card-text");
    this.facts = parts.find("card-facts");
    this.#invitation = this.title.textContent || "";
  }

  #invitation;

  /**
   * Show what is pointed at in a layer, if anything is.
   *
   * @param {{ layer: LayerArrays, context: Context, sentence: string } | null} of
   * @param {boolean} isPinned
   */
  show(of, isPinned) {
    const target = of?.context.target || null;
    const found = of && target ? about(target, of.layer, of.context) : null;
    const said = JSON.stringify([found, isPinned]);
    if (said === this.#said) return;
    this.#said = said;
    this.introduction.hidden = found !== null;
    this.title.closest(".panel-card")?.classList.toggle("is-about", found !== null);
    this.text.hidden = found === null;
    this.title.textContent = found ? found.title : this.#invitation;
    this.how.textContent = found ? (isPinned ? "pinned; Escape frees" : "under the pointer") : "";
    this.text.textContent = found ? found.text : "";
    this.facts.replaceChildren(
      ...(found ? found.facts : []).map(([value, meaning]) =>
        element("div", {}, element("b", { textContent: value }), element("span", { textContent: meaning })),
      ),
    );
  }
}
