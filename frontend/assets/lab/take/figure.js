// A picture or the chart with its caption, as SVG and as PNG.

import { colours } from "../core/colours.js";
import { FONT } from "../pictures/lettering.js";
import { drawMatrix, geometryOf } from "../pictures/matrix.js";
import { SvgContext } from "./svg_context.js";

/** @import { Matrix } from "../pictures/matrix.js" */

const MARGIN = 16;
const TITLE = 28;
const CAPTION = 28;
const CAPTION_PX = 11;
export const PNG_SCALE = 2;
/** What of an element's look an SVG by itself has to be told. */
const LOOKS = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "opacity",
  "font-size",
  "font-weight",
  "text-anchor",
];

/**
 * @typedef {object} Drawn a picture of its own size
 * @property {number} width
 * @property {number} height
 * @property {(c: CanvasRenderingContext2D) => void} draw
 */

/**
 * A matrix under its title, above its caption.
 *
 * @param {Matrix} matrix
 * @param {{ width: number, height: number, title: string, caption: string }} about size of the matrix alone, px
 * @returns {Drawn}
 */
export function figureOf(matrix, { width, height, title, caption }) {
  const whole = Math.max(width + 2 * MARGIN, 360);
  const lines = wrapped(caption, whole - 2 * MARGIN);
  const tall = TITLE + height + CAPTION + (CAPTION_PX + 4) * lines.length + MARGIN;
  return {
    width: whole,
    height: tall,
    draw(c) {
      c.fillStyle = colours.panel;
      c.fillRect(0, 0, whole, tall);
      c.fillStyle = colours.ink;
      c.textAlign = "left";
      c.textBaseline = "middle";
      c.font = `650 14px ${FONT}`;
      c.fillText(title, MARGIN, MARGIN);
      c.save();
      c.translate(MARGIN, TITLE);
      drawMatrix(c, geometryOf({ width, height }, matrix), matrix, { row: null, col: null });
      c.restore();
      c.fillStyle = colours.muted;
      c.textAlign = "left";
      c.font = `400 ${CAPTION_PX}px ${FONT}`;
      lines.forEach((line, i) => c.fillText(line, MARGIN, TITLE + height + CAPTION + i * (CAPTION_PX + 4)));
    },
  };
}

/** Text in lines that fit, by the mean width of a letter. @param {string} text @param {number} width */
function wrapped(text, width) {
  const most = Math.floor(width / (0.55 * CAPTION_PX));
  /** @type {string[]} */
  const lines = [];
  for (const part of text.split(" · ")) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + part.length + 3 <= most) lines[lines.length - 1] = `${last} · ${part}`;
    else lines.push(part);
  }
  return lines;
}

/** @param {Drawn} drawn */
export function svgOf({ width, height, draw }) {
  const context = new SvgContext();
  draw(/** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (context)));
  const [w, h] = [Math.ceil(width), Math.ceil(height)];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}">${context.shapes.join("")}</svg>`;
}

/** @param {Drawn} drawn @returns {HTMLCanvasElement} */
export function canvasOf({ width, height, draw }) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width * PNG_SCALE);
  canvas.height = Math.ceil(height * PNG_SCALE);
  const context = canvas.getContext("2d");
  if (context) {
    context.scale(PNG_SCALE, PNG_SCALE);
    draw(context);
  }
  return canvas;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export const pngOf = (canvas) =>
  new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture cannot be written."))), "image/png");
  });

/**
 * An SVG of the page as a file of its own: with the looks that style sheets gave it, and a caption.
 *
 * @param {SVGElement} chart
 * @param {string} title
 * @param {string} caption
 */
export function svgOfChart(chart, title, caption) {
  const box = chart.getBoundingClientRect();
  const copy = /** @type {SVGElement} */ (chart.cloneNode(true));
  const [from, to] = [chart, copy].map((each) => [each, ...each.querySelectorAll("*")]);
  from.forEach((each, i) => {
    const look = getComputedStyle(each);
    const style = LOOKS.map((name) => `${name}:${look.getPropertyValue(name)}`).join(";");
    /** @type {SVGElement} */ (to[i]).style.cssText = style;
    to[i].removeAttribute("class");
  });
  const [w, h] = [Math.ceil(box.width), Math.ceil(box.height)];
  copy.setAttribute("x", "0");
  copy.setAttribute("y", String(TITLE));
  copy.setAttribute("width", String(w));
  copy.setAttribute("height", String(h));
  if (!copy.getAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${w} ${h}`);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const context = new SvgContext();
  const tall = TITLE + h + CAPTION;
  const c = /** @type {CanvasRenderingContext2D} */ (/** @type {unknown} */ (context));
  c.fillStyle = colours.panel;
  c.fillRect(0, 0, w, tall);
  c.fillStyle = colours.ink;
  c.font = `650 14px ${FONT}`;
  c.fillText(title, MARGIN, 19);
  c.fillStyle = colours.muted;
  c.font = `400 ${CAPTION_PX}px ${FONT}`;
  c.fillText(caption, MARGIN, tall - 10);
  const inner = new XMLSerializer().serializeToString(copy);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${tall}" viewBox="0 0 ${w} ${tall}" font-family='${FONT}'>${context.shapes.join("")}${inner}</svg>`;
}

/** An SVG as a canvas. @param {string} text @returns {Promise<HTMLCanvasElement>} */
export async function rastered(text) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width * PNG_SCALE;
  canvas.height = image.height * PNG_SCALE;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}
