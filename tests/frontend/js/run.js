// A run as the server tells of it, and a server that a view can be connected to.

/** @import { Hello, RunConfig } from "../../../frontend/assets/lab/core/messages.js" */
/** @import { Run, RunEvent } from "../../../frontend/assets/lab/core/told.js" */

/** @param {Partial<Run>} [fields] @returns {Run} */
export function aRun(fields = {}) {
  const values = { p_drop: 0.5, lambda_conflict: 10, lr_ratio: 3 };
  return {
    run_id: "a-run",
    name: "live",
    note: "",
    preset: "live",
    seed: 0,
    status: "running",
    reason: null,
    epoch: 0,
    step: 1,
    total_steps: 1000,
    revision: 1,
    controls: { requested: values, applied: values, applied_step: {} },
    speed: null,
    device: null,
    steps_per_s: 50,
    viewers: 1,
    restarts: 0,
    created_ms: 0,
    parent: null,
    ...fields,
  };
}

/** What the page reads of a config. */
const CONFIG = /** @type {RunConfig} */ ({ model: { top_k: 2, patch_size: 7 }, train: { batch_size: 64 } });

/** @param {Partial<Omit<Hello, "events"> & { events: RunEvent[] }>} [fields] @returns {Hello} */
export function aHello(fields = {}) {
  return /** @type {Hello} */ ({
    type: "hello",
    protocol: 1,
    run: aRun(),
    config: CONFIG,
    bounds: {},
    tasks: ["MNIST", "Kana"].map((label) => ({ name: label.toLowerCase(), label, note: "", class_names: [] })),
    architecture: "cdsp",
    steps_per_epoch: null,
    scalar_names: ["step", "loss"],
    topology: true,
    layers: 2,
    experts: 2,
    partitions: 2,
    dims: 8,
    rank: 4,
    num_tokens: 16,
    data: null,
    events: [],
    resumed: false,
    ...fields,
  });
}

/** @param {Partial<RunEvent>} fields @returns {RunEvent} */
export function anEvent(fields) {
  return {
    type: "event",
    kind: "applied",
    run: "a-run",
    revision: 1,
    epoch: 0,
    step: 1,
    time_ms: 0,
    text: "",
    data: {},
    ...fields,
  };
}

const ARRAYS = { F32: Float32Array, U8: Uint8Array, I32: Int32Array };

/**
 * The bytes of a frame: [name, dtype, shape, values] for each array.
 *
 * @param {Record<string, string>} meta
 * @param {[string, "F32" | "U8" | "I32", number[], number[]][]} arrays
 */
export function frameBytes(meta, arrays) {
  /** @type {Record<string, object>} */
  const header = { __metadata__: { kind: "frame", epoch: "0", seq: "1", after_seq: "0", step: "1", ...meta } };
  const parts = [];
  let at = 0;
  for (const [name, dtype, shape, values] of arrays) {
    const bytes = new Uint8Array(ARRAYS[dtype].from(values).buffer);
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const whole = new Uint8Array(8 + text.length + at);
  new DataView(whole.buffer).setBigUint64(0, BigInt(text.length), true);
  whole.set(text, 8);
  let place = 8 + text.length;
  for (const bytes of parts) {
    whole.set(bytes, place);
    place += bytes.length;
  }
  return whole.buffer;
}

/** Sockets that views have opened, newest last; a test says what they hear. */
export class Socket {
  /** @type {Socket[]} */
  static opened = [];
  static OPEN = 1;
  readyState = 1;
  binaryType = "";
  /** @type {string[]} */
  sent = [];
  /** @type {((message: { data: unknown }) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onclose = null;

  /** @param {string} url */
  constructor(url) {
    this.url = url;
    Socket.opened.push(this);
  }

  /** @param {object} message */
  hear(message) {
    this.onmessage?.({ data: message instanceof ArrayBuffer ? message : JSON.stringify(message) });
  }

  /** @param {string} text */
  send(text) {
    this.sent.push(text);
  }

  close() {
    this.readyState = 3;
    this.onclose?.();
  }
}
