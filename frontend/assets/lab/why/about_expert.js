// An expert in the card: the dimensions it holds, who shares them, its part of each task, its surest patches.

import { element } from "../core/element.js";
import { count, percent, shortName } from "../core/format.js";
import { pixelCanvas } from "../core/pixels.js";
import { block, expert } from "../pictures/picture.js";

/** @import { LayerArrays } from "../core/frames.js" */
/** @import { Hello, SurestPatches } from "../core/messages.js" */

const NAMED = 4;
const LEAST = 0.005;

/**
 * How many dimensions of each block an expert holds.
 *
 * @param {LayerArrays} layer
 * @param {number} e
 * @param {Pick<Hello, "dims" | "partitions">} hello
 */
export function heldOfBlocks({ subspace }, e, { dims, partitions }) {
  const held = new Array(partitions).fill(0);
  if (!subspace) return held;
  const size = dims / partitions;
  for (let r = 0; r < dims; r++) {
    if (subspace.data[e * subspace.cols + (r >> 3)] & (128 >> (r & 7))) held[Math.floor(r / size)] += 1;
  }
  return held;
}

/**
 * @param {object} asked
 * @param {LayerArrays} asked.layer
 * @param {number} asked.e
 * @param {Hello} asked.hello
 * @param {SurestPatches | null} asked.surest
 * @param {string} asked.problem why its patches are not there
 * @returns {HTMLElement[]}
 */
export function aboutExpert({ layer, e, hello, surest, problem }) {
  const { overlap, routing, routing_blind: blind } = layer;
  const held = heldOfBlocks(layer, e, hello)
    .map((dims, p) => ({ dims, p }))
    .filter(({ dims }) => dims > 0)
    .sort((a, b) => b.dims - a.dims);
  const shared = !overlap
    ? []
    : Array.from({ length: overlap.cols }, (_, f) => ({ f, share: overlap.data[e * overlap.cols + f] }))
        .filter(({ f, share }) => f !== e && share >= LEAST)
        .sort((a, b) => b.share - a.share);
  const holds = held.map(({ dims, p }) => `${dims} of ${block(p)}`).join(", ");
  const others = shared.slice(0, NAMED).map(({ f, share }) => `${percent(share)} with ${expert(f)}`);
  const more = shared.length > NAMED ? ` and some with ${shared.length - NAMED} more` : "";
  const sharing = !overlap ? "" : others.length ? `Shares ${others.join(", ")}${more}.` : "Shares none of them.";
  /** @type {HTMLElement[]} */
  const made = [
    element("p", { className: "inquiry-holds", textContent: holds ? `Dimensions: ${holds}. ${sharing}`.trim() : "" }),
  ];
  if (routing) {
    const rows = hello.tasks.map(({ label }, q) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", textContent: shortName(label) }),
        element("td", { textContent: percent(routing.data[q * routing.cols + e]) }),
        element("td", { textContent: blind ? percent(blind.data[q * blind.cols + e]) : "" }),
      ),
    );
    const head = ["", "with ID", "without"].map((textContent) => element("th", { scope: "col", textContent }));
    made.push(
      element(
        "table",
        { className: "inquiry-table" },
        element("caption", { textContent: "Its share of each task's patches" }),
        element("thead", {}, element("tr", {}, ...head)),
        element("tbody", {}, ...rows),
      ),
    );
  }
  made.push(...patchesOf(surest, problem, hello));
  return made;
}

/**
 * @param {SurestPatches | null} surest
 * @param {string} problem
 * @param {Hello} hello
 */
function patchesOf(surest, problem, hello) {
  if (problem) return [element("p", { className: "inquiry-problem", textContent: problem })];
  if (!surest) return [element("p", { className: "subtitle", textContent: "Looking for its surest patches…" })];
  if (!surest.patches.length) {
    return [element("p", { className: "subtitle", textContent: `It takes no patch of ${surest.images} test images.` })];
  }
  const list = element("ul", { className: "inquiry-patches" });
  for (const { pixels, task, label, place, gate } of surest.patches) {
    const about = hello.tasks[task];
    const name = about ? `${shortName(about.label)} ${about.class_names[label] ?? label}` : `task ${task}`;
    const picture = pixelCanvas(pixels.flat(), pixels.length, `${name}, patch ${place}, weight ${gate.toFixed(2)}`);
    list.append(element("li", {}, picture, element("span", { textContent: gate.toFixed(2).replace(/^0/, "") })));
  }
  const among = `Surest patches of ${surest.images} test images with ID, as of step ${count(surest.step)}`;
  return [element("p", { className: "subtitle", textContent: among }), list];
}
