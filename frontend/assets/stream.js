"use strict";
// One websocket to one run. Keeps the newest frame only; scalars are appended as they come.
// Reconnects by itself and resumes after the last message, so that no step is lost.
(function (lab) {
  const FIRST_WAIT_MS = 100;
  const LONGEST_WAIT_MS = 5000;
  const SILENCE_MS = 6000; // the server speaks every second

  class Stream {
    /** `on`: {hello, run, event, reset, scalars, missing, state, trouble}, called as messages arrive. */
    constructor(on) {
      this.on = on;
      this.runId = null;
      this.socket = null;
      this.attempts = 0;
      this.reconnects = 0;
      this.frame = null;
      this.position = null;
      this.lastHeard_ms = 0;
      setInterval(() => this.#watchSilence(), 1000);
      addEventListener("online", () => this.#retryNow());
    }

    open(runId) {
      this.close();
      this.runId = runId;
      this.position = null;
      this.frame = null;
      this.attempts = 0;
      this.#connect();
    }

    close() {
      clearTimeout(this.timer);
      this.runId = null;
      if (this.socket) this.socket.close();
      this.socket = null;
    }

    /** Tell the server that a frame was drawn; it keeps at most two on the way. */
    ack(frame) {
      if (this.socket && this.socket.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ type: "ack", epoch: frame.epoch, seq: frame.seq }));
      }
    }

    /** The newest frame that was not taken yet, or null. */
    take() {
      const frame = this.frame;
      this.frame = null;
      return frame;
    }

    #connect() {
      const scheme = location.protocol === "https:" ? "wss" : "ws";
      const after = this.position ? `?after=${this.position.epoch}:${this.position.seq}` : "";
      const socket = new WebSocket(`${scheme}://${location.host}/ws/runs/${encodeURIComponent(this.runId)}${after}`);
      socket.binaryType = "arraybuffer";
      socket.onmessage = (message) => {
        if (socket !== this.socket) return;
        this.lastHeard_ms = Date.now();
        if (typeof message.data === "string") this.#text(JSON.parse(message.data));
        else this.#binary(lab.decodeFrame(message.data));
      };
      socket.onopen = () => {
        this.lastHeard_ms = Date.now();
      };
      socket.onclose = () => {
        if (socket === this.socket) this.#lost();
      };
      this.socket = socket;
    }

    #text(message) {
      if (message.type === "hello") {
        if (this.attempts > 0) this.reconnects += 1;
        this.attempts = 0;
        if (!message.resumed) this.position = null;
        this.on.state("open");
        this.on.hello(message);
      } else if (message.type === "run") this.on.run(message.run);
      else if (message.type === "event") this.on.event(message);
      else if (message.type === "reset") {
        this.position = null;
        this.frame = null;
        this.on.reset(message);
      } else if (message.type === "error") this.on.trouble(message.reason);
    }

    #binary(frame) {
      const snapshot = frame.kind === "snapshot";
      if (!snapshot && this.position) {
        const follows = frame.epoch === this.position.epoch && frame.after_seq === this.position.seq;
        if (!follows) {
          this.socket.close(); // resume from the last message that did follow
          return;
        }
      }
      this.position = { epoch: frame.epoch, seq: frame.seq };
      this.on.scalars(frame, snapshot);
      if (frame.kind !== "scalars") this.frame = frame;
    }

    #lost() {
      this.socket = null;
      if (!this.runId) return;
      this.attempts += 1;
      this.on.state("lost");
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.attempts - 1));
      this.timer = setTimeout(() => this.#reconnect(), wait * (0.75 + Math.random() / 2));
    }

    async #reconnect() {
      const runId = this.runId;
      let answer = null;
      try {
        answer = await fetch(`/api/runs/${encodeURIComponent(runId)}`);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // fetch says TypeError when the server is away
      }
      if (runId !== this.runId || this.socket) return;
      if (answer && answer.status === 404) {
        this.close();
        this.on.missing(runId);
      } else if (answer) this.#connect();
      else this.#lost();
    }

    #retryNow() {
      if (!this.runId || this.socket) return;
      clearTimeout(this.timer);
      this.#reconnect();
    }

    #watchSilence() {
      const open = this.socket && this.socket.readyState === WebSocket.OPEN;
      if (open && Date.now() - this.lastHeard_ms > SILENCE_MS) this.socket.close();
    }
  }

  lab.Stream = Stream;
})((window.lab = window.lab || {}));
