// A recorded run, as the API sends it: a recipe, log-spaced pictures of sigma(A), and thinned scalars.

import { decodeMessage } from "./frames.js";

/** @import { RunConfig } from "./messages.js" */
/** @import { ControlValues } from "./told.js" */

/**
 * @typedef {object} Recording
 * @property {{ config: RunConfig, edits: { step: number, controls: ControlValues }[] }} recipe
 * @property {number[]} steps of the pictures, rising
 * @property {number} layers
 * @property {(layer: number, picture: number) => Uint8Array} connection sigma(A) in 255ths
 * @property {string[]} names of the scalars
 * @property {(name: number, picture: number) => number} scalar NaN where none was measured
 */

/**
 * A message of `/api/recorded/{name}`, or what a recording's file holds once it is decompressed.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Recording}
 */
export function decodeRecording(buffer) {
  const { meta, arrays } = decodeMessage(buffer);
  const [steps, connection, scalars] = ["steps", "connection", "scalars"].map((name) => arrays.get(name));
  if (!steps || !connection || !scalars) throw new Error("A recorded run must have steps, connection and scalars.");
  const names = /** @type {string[]} */ (JSON.parse(meta.scalar_names));
  const pictures = steps.shape[0];
  const layers = connection.shape[1];
  const size = connection.shape[2] * connection.shape[3];
  const sigma = /** @type {Uint8Array} */ (connection.data);
  return {
    recipe: JSON.parse(meta.recipe),
    steps: Array.from(steps.data),
    layers,
    connection: (layer, picture) => {
      const at = (picture * layers + layer) * size;
      return sigma.subarray(at, at + size);
    },
    names,
    scalar: (name, picture) => {
      if (picture < 0 || picture >= pictures) return NaN;
      return half(scalars.data[picture * names.length + name]);
    },
  };
}

/** Decompress the content of a recording's file. @param {Response} answer */
export async function inflated(answer) {
  const stream = answer.body?.pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The value of a 16-bit float. @param {number} bits */
export function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
