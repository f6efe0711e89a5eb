// The film as files: a strip of its pictures with their steps as PNG, and the same moving as GIF.

import { colours } from "../core/colours.js";
import { count } from "../core/format.js";
import { FONT } from "../pictures/lettering.js";
import { canvasOf } from "./figure.js";
import { gifOf } from "./gif.js";

/** @import { FrameArray } from "../core/frames.js" */

const MOST_IN_STRIP = 14;
const TILE = 96;
const GAP = 8;
const MOVING = 256;
const LABEL = 20;
const FOOT = 28;
const DELAY_MS = 250;
const CAPTION_FONT = `400 11px ${FONT}`;

/**
 * @typedef {object} Film of one layer
 * @property {ArrayLike<number>} steps
 * @property {FrameArray} pictures [moments, E * P], sigma in 255ths
 * @property {number} experts
 * @property {string} caption
 */

/** @param {CanvasRenderingContext2D} c @param {Film} film @param {number} place @param {{ x: number, y: number, size: number }} box */
function paint(c, { pictures, experts }, place, { x, y, size }) {
  const blocks = pictures.cols / experts;
  const [w, h] = [size / blocks, size / experts];
  for (let e = 0; e < experts; e++) {
    for (let p = 0; p < blocks; p++) {
      c.fillStyle = colours.sigma.fill[pictures.data[place * pictures.cols + e * blocks + p]];
      const [left, top] = [Math.round(p * w), Math.round(e * h)];
      c.fillRect(x + left, y + top, Math.round((p + 1) * w) - left, Math.round((e + 1) * h) - top);
    }
  }
}

/** So many places of a film at most, evenly, the first and the last among them. @param {number} many @param {number} most */
export function evenly(many, most) {
  if (many <= most) return Array.from({ length: many }, (_, i) => i);
  return [...new Set(Array.from({ length: most }, (_, i) => Math.round((i * (many - 1)) / (most - 1))))];
}

/** @param {Film} film @returns {HTMLCanvasElement} */
export function stripOf(film) {
  const places = evenly(film.steps.length, MOST_IN_STRIP);
  const width = places.length * (TILE + GAP) + GAP;
  return canvasOf({
    width,
    height: GAP + TILE + LABEL + FOOT,
    draw(c) {
      c.fillStyle = colours.panel;
      c.fillRect(0, 0, width, GAP + TILE + LABEL + FOOT);
      places.forEach((place, i) => {
        const x = GAP + i * (TILE + GAP);
        paint(c, film, place, { x, y: GAP, size: TILE });
        c.fillStyle = colours.muted;
        c.font = CAPTION_FONT;
        c.textAlign = "center";
        c.textBaseline = "middle";
        c.fillText(count(film.steps[place]), x + TILE / 2, GAP + TILE + LABEL / 2 + 2);
      });
      c.textAlign = "left";
      c.fillText(film.caption, GAP, GAP + TILE + LABEL + FOOT / 2);
    },
  });
}

/** @param {Film} film */
export function movingOf(film) {
  const [width, height] = [MOVING + 2 * GAP, MOVING + 2 * GAP + LABEL + FOOT];
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const c = canvas.getContext("2d", { willReadFrequently: true });
  if (!c) throw new Error("This browser draws no pictures.");
  const pictures = Array.from(film.steps, (step, place) => {
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, width, height);
    paint(c, film, place, { x: GAP, y: GAP, size: MOVING });
    c.fillStyle = colours.ink;
    c.font = `650 13px ${FONT}`;
    c.textBaseline = "middle";
    c.fillText(`step ${count(step)}`, GAP, MOVING + GAP + LABEL / 2 + 4);
    c.fillStyle = colours.muted;
    c.font = CAPTION_FONT;
    c.fillText(film.caption, GAP, MOVING + GAP + LABEL + FOOT / 2, MOVING);
    return c.getImageData(0, 0, width, height).data;
  });
  return gifOf({ width, height, pictures, delay_ms: DELAY_MS, comment: film.caption });
}
