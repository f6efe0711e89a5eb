// Making SVG elements.

const SPACE = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} content
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...content) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SPACE, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...content);
  return made;
}

/** A whole or half pixel is enough. @param {number} value */
const short = (value) => Math.round(10 * value) / 10;

/**
 * The path through points, none twice in the same half pixel.
 *
 * @param {number[]} xs px
 * @param {number[]} ys px
 */
export function pathOf(xs, ys) {
  let text = "";
  let before = -Infinity;
  for (let i = 0; i < xs.length; i++) {
    if (xs[i] - before < 0.5 && i < xs.length - 1) continue;
    before = xs[i];
    text += `${text ? "L" : "M"}${short(xs[i])} ${short(ys[i])}`;
  }
  return text;
}
