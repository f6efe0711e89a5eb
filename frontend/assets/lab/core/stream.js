// One websocket to one run; a recorded run is asked for instead, since nothing more comes. Keeps the newest frame only; scalars are appended as they come.
// Reconnects by itself and resumes after the last message, so that no step is lost.

import { decodeFrame } from "./frames.js";
import { recordedName } from "./recorded.js";
import { reached, request, runPath } from "./requests.js";

/** @import { Frame } from "./frames.js" */
/** @import { Hello, ResetMessage, ServerMessage } from "./messages.js" */
/** @import { Run, RunEvent } from "./told.js" */

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
const SILENCE_MS = 6000; // the server speaks every second
const LISTEN_EVERY_MS = 1000;

/**
 * @typedef {object} Listeners called as messages arrive
 * @property {(hello: Hello) => void} hello
 * @property {(run: Run) => void} run
 * @property {(event: RunEvent) => void} event
 * @property {(reset: ResetMessage) => void} reset
 * @property {(frame: Frame, isSnapshot: boolean) => void} scalars
 * @property {(runId: string) => void} missing there is no such run
 * @property {(state: "open" | "lost") => void} state
 * @property {(reason: string) => void} trouble
 */

export class Stream {
  /** @type {string | null} */
  runId = null;
  reconnects = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  #attempts = 0;
  /** @type {Frame | null} */
  #frame = null;
  /** @type {{ epoch: number, seq: number } | null} */
  #position = null;
  #lastHeard_ms = 0;
  #timer = 0;
  #on;

  /**
   * @param {Listeners} on
   * @param {AbortSignal} ended
   */
  constructor(on, ended) {
    this.#on = on;
    const watch = window.setInterval(() => this.#watchSilence(), LISTEN_EVERY_MS);
    window.addEventListener("online", () => this.#retryNow(), { signal: ended });
    ended.addEventListener("abort", () => {
      clearInterval(watch);
      this.close();
    });
  }

  /** @param {string} runId */
  open(runId) {
    this.close();
    this.runId = runId;
    this.#position = null;
    this.#frame = null;
    this.#attempts = 0;
    this.#begin(runId);
  }

  close() {
    clearTimeout(this.#timer);
    this.runId = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** Tell the server that a frame was drawn; it keeps at most two on the way. @param {Frame} frame */
  ack(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type: "ack", epoch: frame.epoch, seq: frame.seq }));
    }
  }

  /** The newest frame that was not taken yet, or null. */
  take() {
    const frame = this.#frame;
    this.#frame = null;
    return frame;
  }

  /** @param {string} runId */
  #begin(runId) {
    if (recordedName(runId) === null) this.#connect(runId);
    else this.#replay(runId);
  }

  /** Take all that a recorded run holds. @param {string} runId */
  async #replay(runId) {
    const [hello, snapshot] = await Promise.all([
      request("GET", `${runPath(runId)}/hello`),
      reached(`${runPath(runId)}/snapshot`),
    ]);
    if (runId !== this.runId) return;
    if (hello.ok && snapshot?.ok) {
      const frame = decodeFrame(await snapshot.arrayBuffer());
      if (runId !== this.runId) return;
      this.#text(hello.body);
      this.#take(frame);
    } else if (hello.status === 0 || !snapshot) this.#lost();
    else {
      this.close();
      this.#on.missing(runId);
    }
  }

  /** @param {string} runId */
  #connect(runId) {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const after = this.#position ? `?after=${this.#position.epoch}:${this.#position.seq}` : "";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/runs/${encodeURIComponent(runId)}${after}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (message) => {
      if (socket !== this.#socket) return;
      this.#lastHeard_ms = Date.now();
      if (typeof message.data === "string") this.#text(JSON.parse(message.data));
      else this.#binary(socket, decodeFrame(message.data));
    };
    socket.onopen = () => {
      this.#lastHeard_ms = Date.now();
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    this.#socket = socket;
  }

  /** @param {ServerMessage} message */
  #text(message) {
    if (message.type === "hello") {
      if (this.#attempts > 0) this.reconnects += 1;
      this.#attempts = 0;
      if (!message.resumed) this.#position = null;
      this.#on.state("open");
      this.#on.hello(message);
    } else if (message.type === "run") this.#on.run(message.run);
    else if (message.type === "event") this.#on.event(/** @type {RunEvent} */ (message));
    else if (message.type === "reset") {
      this.#position = null;
      this.#frame = null;
      this.#on.reset(message);
    } else if (message.type === "error") this.#on.trouble(message.reason);
  }

  /**
   * @param {WebSocket} socket
   * @param {Frame} frame
   */
  #binary(socket, frame) {
    const isSnapshot = frame.kind === "snapshot";
    if (!isSnapshot && this.#position) {
      const follows = frame.epoch === this.#position.epoch && frame.after_seq === this.#position.seq;
      if (!follows) {
        socket.close(); // resume from the last message that did follow
        return;
      }
    }
    this.#take(frame);
  }

  /** @param {Frame} frame */
  #take(frame) {
    this.#position = { epoch: frame.epoch, seq: frame.seq };
    this.#on.scalars(frame, frame.kind === "snapshot");
    if (frame.kind !== "scalars") this.#frame = frame;
  }

  #lost() {
    this.#socket = null;
    if (!this.runId) return;
    this.#attempts += 1;
    this.#on.state("lost");
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#attempts - 1));
    this.#timer = window.setTimeout(() => this.#reconnect(), wait * (0.75 + Math.random() / 2));
  }

  async #reconnect() {
    const { runId } = this;
    if (!runId) return;
    const answer = await reached(runPath(runId));
    if (runId !== this.runId || this.#socket) return;
    if (answer?.status === 404) {
      this.close();
      this.#on.missing(runId);
    } else if (answer) this.#begin(runId);
    else this.#lost();
  }

  #retryNow() {
    if (!this.runId || this.#socket) return;
    clearTimeout(this.#timer);
    this.#reconnect();
  }

  #watchSilence() {
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.OPEN && Date.now() - this.#lastHeard_ms > SILENCE_MS) socket.close();
  }
}
