// A drawing context that writes SVG: what a picture draws on a canvas comes out as shapes and text.

/** @typedef {{ fillStyle: string, strokeStyle: string, lineWidth: number, globalAlpha: number, font: string, textAlign: string, textBaseline: string, dash: string, clipping: string }} Pen */

/** @type {Pen} */
const NEW_PEN = {
  fillStyle: "#000",
  strokeStyle: "#000",
  lineWidth: 1,
  globalAlpha: 1,
  font: "13px sans-serif",
  textAlign: "left",
  textBaseline: "alphabetic",
  dash: "",
  clipping: "",
};
/** @type {Record<string, string>} */
const ANCHORS = { left: "start", start: "start", center: "middle", right: "end", end: "end" };
const MIDDLE_EM = 0.35; // of a text's middle below its line

/** @param {number} value */
const short = (value) => String(Math.round(100 * value) / 100);
/** @param {string} text */
const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** Has the part of CanvasRenderingContext2D that pictures use. */
export class SvgContext {
  /** @type {string[]} */
  shapes = [];
  imageSmoothingEnabled = true;
  #path = "";
  #clips = 0;
  /** Groups that a translation has opened since the last save. */
  #groups = 0;
  /** @type {number[]} */
  #savedGroups = [];
  /** @type {Pen[]} */
  #saved = [];
  /** @type {Pen} */
  #pen = { ...NEW_PEN };

  constructor() {
    for (const name of /** @type {(keyof Pen)[]} */ (Object.keys(NEW_PEN))) {
      Object.defineProperty(this, name, {
        get: () => this.#pen[name],
        set: (value) => {
          Reflect.set(this.#pen, name, value);
        },
      });
    }
  }

  save() {
    this.#saved.push({ ...this.#pen });
    this.#savedGroups.push(this.#groups);
    this.#groups = 0;
  }

  restore() {
    this.#pen = this.#saved.pop() ?? this.#pen;
    this.shapes.push("</g>".repeat(this.#groups));
    this.#groups = this.#savedGroups.pop() ?? 0;
  }

  /** @param {number} x @param {number} y */
  translate(x, y) {
    this.shapes.push(`<g transform="translate(${short(x)} ${short(y)})">`);
    this.#groups += 1;
  }

  beginPath() {
    this.#path = "";
  }

  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.#path += `M${short(x)} ${short(y)}`;
  }

  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.#path += `L${short(x)} ${short(y)}`;
  }

  /** @param {...number} points */
  bezierCurveTo(...points) {
    this.#path += `C${points.map(short).join(" ")}`;
  }

  closePath() {
    this.#path += "Z";
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  rect(x, y, width, height) {
    this.#path += `M${short(x)} ${short(y)}h${short(width)}v${short(height)}h${short(-width)}Z`;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {number} [radius] */
  roundRect(x, y, width, height, radius = 0) {
    const r = Math.min(radius, Math.abs(width) / 2, Math.abs(height) / 2);
    if (!r) {
      this.rect(x, y, width, height);
      return;
    }
    const [w, h] = [short(width - 2 * r), short(height - 2 * r)];
    const corner = (/** @type {number} */ dx, /** @type {number} */ dy) =>
      `a${short(r)} ${short(r)} 0 0 1 ${short(dx)} ${short(dy)}`;
    const begin = `M${short(x + r)} ${short(y)}`;
    this.#path += `${begin}h${w}${corner(r, r)}v${h}${corner(-r, r)}h-${w}${corner(-r, -r)}v-${h}${corner(r, -r)}Z`;
  }

  /** A whole circle, the only arc that pictures draw, or a part of one. @param {number} x @param {number} y @param {number} r @param {number} from @param {number} to */
  arc(x, y, r, from, to) {
    const isWhole = Math.abs(to - from) >= 2 * Math.PI - 1e-6;
    const end = isWhole ? from + Math.PI : to;
    const at = (/** @type {number} */ angle) => `${short(x + r * Math.cos(angle))} ${short(y + r * Math.sin(angle))}`;
    const part = (/** @type {number} */ angle) => `A${short(r)} ${short(r)} 0 0 1 ${at(angle)}`;
    this.#path += `M${at(from)}${part(end)}${isWhole ? `${part(from)}Z` : ""}`;
  }

  fill() {
    this.#shape(this.#path, `fill="${this.#pen.fillStyle}"`);
  }

  stroke() {
    const { strokeStyle, lineWidth, dash } = this.#pen;
    const dashed = dash ? ` stroke-dasharray="${dash}"` : "";
    this.#shape(this.#path, `fill="none" stroke="${strokeStyle}" stroke-width="${short(lineWidth)}"${dashed}`);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  fillRect(x, y, width, height) {
    const before = this.#path;
    this.#path = "";
    this.rect(x, y, width, height);
    this.fill();
    this.#path = before;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  strokeRect(x, y, width, height) {
    const before = this.#path;
    this.#path = "";
    this.rect(x, y, width, height);
    this.stroke();
    this.#path = before;
  }

  clearRect() {}

  clip() {
    this.#clips += 1;
    const id = `clip${this.#clips}`;
    this.shapes.push(`<clipPath id="${id}"><path d="${this.#path}"/></clipPath>`);
    this.#pen.clipping = ` clip-path="url(#${id})"`;
  }

  /** @param {number[]} lengths */
  setLineDash(lengths) {
    this.#pen.dash = lengths.map(short).join(" ");
  }

  /** @param {string} text @param {number} x @param {number} y */
  fillText(text, x, y) {
    const { font, fillStyle, textAlign, textBaseline, globalAlpha, clipping } = this.#pen;
    const [, weight = "400", size = "13", family = "sans-serif"] = /^(?:(\S+) )?([\d.]+)px (.*)$/.exec(font) ?? [];
    const lowered = textBaseline === "middle" ? y + MIDDLE_EM * Number(size) : y;
    const look = `font-family="${escaped(family)}" font-size="${size}" font-weight="${weight}" fill="${fillStyle}"`;
    const place = `x="${short(x)}" y="${short(lowered)}" text-anchor="${ANCHORS[textAlign] ?? "start"}"`;
    const faint = globalAlpha < 1 ? ` opacity="${short(globalAlpha)}"` : "";
    this.shapes.push(`<text ${place} ${look}${faint}${clipping}>${escaped(String(text))}</text>`);
  }

  /** A sheet of pixels, as a picture inside the picture. @param {OffscreenCanvas} sheet @param {number} x @param {number} y @param {number} width @param {number} height */
  drawImage(sheet, x, y, width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = sheet.width;
    canvas.height = sheet.height;
    canvas.getContext("2d")?.drawImage(sheet, 0, 0);
    const place = `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
    const look = `preserveAspectRatio="none" style="image-rendering:pixelated"`;
    this.shapes.push(`<image ${place} ${look} href="${canvas.toDataURL()}"/>`);
  }

  /** @param {string} path @param {string} look */
  #shape(path, look) {
    const { globalAlpha, clipping } = this.#pen;
    const faint = globalAlpha < 1 ? ` opacity="${short(globalAlpha)}"` : "";
    if (path) this.shapes.push(`<path d="${path}" ${look}${faint}${clipping}/>`);
  }
}
