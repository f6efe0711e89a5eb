// Images that are probed: as small buttons, and those that were pinned to be followed through time.

import { element } from "../core/element.js";
import { pixelCanvas } from "../core/pixels.js";

/** @typedef {{ pixels: ArrayLike<number>, task: number, name: string }} Image */

const MOST_PINNED = 8;

/**
 * An image as a button.
 *
 * @param {Image} image
 * @param {number} side of the image, in pixels of its own
 * @param {() => void} act
 */
export function thumbOf(image, side, act) {
  const thumb = element("button", { type: "button", className: "probe-thumb", title: image.name });
  thumb.append(pixelCanvas(image.pixels, side, image.name));
  thumb.setAttribute("aria-label", image.name);
  thumb.setAttribute("aria-pressed", "false");
  thumb.addEventListener("click", act);
  return thumb;
}

export class Pinned {
  /** @type {Image[]} */
  images = [];
  list = element("ul", { className: "probe-pinned" });
  #released;

  /** @param {() => void} released one was let go */
  constructor(released) {
    this.#released = released;
  }

  /** Pin an image; returns why that cannot be, or nothing. @param {Image} image */
  add(image) {
    if (this.images.length >= MOST_PINNED) {
      return `At most ${MOST_PINNED} images may be pinned. Found as many: let one go first.`;
    }
    this.images.push(image);
    return "";
  }

  /**
   * @param {number} side of the images, in pixels of their own
   * @param {(image: Image) => string} answer what the model says of one
   * @param {(image: Image) => void} choose
   */
  show(side, answer, choose) {
    this.list.replaceChildren(
      ...this.images.map((image, place) =>
        element(
          "li",
          {},
          thumbOf(image, side, () => choose(image)),
          element("span", { textContent: answer(image) }),
          this.#release(image, place),
        ),
      ),
    );
  }

  /** @param {Image} image @param {number} place */
  #release(image, place) {
    const release = element("button", { type: "button", className: "icon-button", title: `Let go of ${image.name}` });
    release.setAttribute("aria-label", release.title);
    release.append(element("span", { className: "icon icon-close" }));
    release.addEventListener("click", () => {
      this.images.splice(place, 1);
      this.#released();
    });
    return release;
  }
}
