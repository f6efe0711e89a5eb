// The binary message (safetensors): 8 bytes header length, JSON header, then the arrays.

/**
 * @typedef {Float32Array | Float64Array | Uint8Array | Int32Array} Numbers
 * @typedef {{ rows: number, cols: number, data: Numbers }} FrameArray a vector is a table of one column
 * @typedef {Record<string, FrameArray>} LayerArrays arrays of one layer, by name; which there are depends on the model
 * @typedef {object} Frame
 * @property {string} run
 * @property {string} kind
 * @property {number} epoch
 * @property {number} seq
 * @property {number} after_seq
 * @property {number} step
 * @property {number} revision
 * @property {number} time_ms
 * @property {number} steps_per_s
 * @property {FrameArray | null} scalars
 * @property {LayerArrays[]} layers
 * @typedef {{ dtype: string, shape: number[], data_offsets: [number, number] }} Entry
 */

const utf8 = new TextDecoder();

/** @type {Record<string, Float32ArrayConstructor | Float64ArrayConstructor | Uint8ArrayConstructor | Int32ArrayConstructor>} */
const TYPES = { F32: Float32Array, F64: Float64Array, U8: Uint8Array, I32: Int32Array };

/**
 * A frame whose arrays are views into `buffer`.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Frame}
 */
export function decodeFrame(buffer) {
  const { header, start } = headOf(buffer);
  const meta = header.__metadata__;
  /** @type {Frame} */
  const frame = {
    run: meta.run,
    kind: meta.kind,
    epoch: Number(meta.epoch),
    seq: Number(meta.seq),
    after_seq: Number(meta.after_seq),
    step: Number(meta.step),
    revision: Number(meta.revision),
    time_ms: Number(meta.time_ms),
    steps_per_s: Number(meta.steps_per_s),
    scalars: null,
    layers: [],
  };
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const array = view(buffer, start + entry.data_offsets[0], entry);
    if (name === "scalars") {
      frame.scalars = array;
      continue;
    }
    const [place, field] = name.split("/");
    const layer = Number(place.slice("layer".length));
    (frame.layers[layer] = frame.layers[layer] || {})[field] = array;
  }
  return frame;
}

/**
 * Any other message: its epoch, and its arrays by name.
 *
 * @param {ArrayBuffer} buffer
 */
export function decodeArrays(buffer) {
  const { header, start } = headOf(buffer);
  /** @type {Map<string, FrameArray>} */
  const arrays = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") arrays.set(name, view(buffer, start + entry.data_offsets[0], entry));
  }
  return { meta: { epoch: Number(header.__metadata__.epoch) }, arrays };
}

/**
 * Any message with its metadata and whole shapes; 16-bit floats stay bits.
 *
 * @param {ArrayBuffer} buffer
 */
export function decodeMessage(buffer) {
  const { header, start } = headOf(buffer);
  /** @type {Map<string, { shape: number[], data: Numbers | Uint16Array }>} */
  const arrays = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const at = start + entry.data_offsets[0];
    const data =
      entry.dtype === "F16"
        ? new Uint16Array(buffer.slice(at, start + entry.data_offsets[1]))
        : view(buffer, at, entry).data;
    arrays.set(name, { shape: entry.shape, data });
  }
  return { meta: /** @type {Record<string, string>} */ (header.__metadata__), arrays };
}

/** @param {ArrayBuffer} buffer */
function headOf(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  return { header: JSON.parse(utf8.decode(new Uint8Array(buffer, 8, length))), start: 8 + length };
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number} offset
 * @param {Entry} entry
 * @returns {FrameArray}
 */
function view(buffer, offset, entry) {
  const Type = TYPES[entry.dtype];
  if (!Type) throw new Error(`A frame's arrays must be one of ${Object.keys(TYPES).join(", ")}. Found ${entry.dtype}.`);
  const length = entry.shape.reduce((product, size) => product * size, 1);
  const aligned = offset % Type.BYTES_PER_ELEMENT === 0;
  const data = aligned
    ? new Type(buffer, offset, length)
    : new Type(buffer.slice(offset, offset + length * Type.BYTES_PER_ELEMENT));
  return { rows: entry.shape[0], cols: entry.shape[1] || 1, data };
}
