"use strict";
// The header: what the run does, how fast, where, for how long, and for how many people; the connection banner.
(function (lab) {
  const WORDS = {
    queued: "Waiting for a worker",
    starting: "Starting",
    running: "Training",
    paused: "Paused",
    finished: "Finished",
    interrupted: "Interrupted",
    failed: "Failed",
  };
  const STATES = { running: "running", paused: "paused", failed: "trouble", interrupted: "trouble" };
  const QUIET_MS = 400; // a reconnect shorter than this is not worth a banner

  const byId = (id) => document.getElementById(id);

  function lookingBack(frame, run) {
    const place = run && frame.epoch !== run.epoch ? ", before the reset" : "";
    return `Looking back at step ${lab.format.count(frame.step)}${place} · End returns to live`;
  }

  function setText(id, text) {
    const element = byId(id);
    if (element.textContent !== text) element.textContent = text;
  }

  class Status {
    /** `pinned()` gives the frame looked back at, or null. */
    constructor(model, pinned) {
      this.model = model;
      this.pinned = pinned;
      this.lostSince_ms = null;
    }

    connection(state) {
      if (state === "open") this.lostSince_ms = null;
      else if (this.lostSince_ms === null) this.lostSince_ms = Date.now();
      this.refresh();
    }

    /** A few times a second, and at every change of the run. */
    refresh() {
      const { run } = this.model;
      const pinned = this.pinned();
      const lost = this.lostSince_ms !== null && Date.now() - this.lostSince_ms > QUIET_MS;
      this.#banner(run, lost);
      document.body.classList.toggle("is-stale", lost);
      document.body.classList.toggle("is-pinned", Boolean(pinned));
      const state = lost ? "trouble" : pinned ? "pinned" : (run && STATES[run.status]) || "idle";
      byId("chip-main").dataset.state = state;
      this.#say(lost ? "Connection lost" : run ? WORDS[run.status] || run.status : "No run");
      if (!run) {
        setText("chip-status", lost ? "No connection" : "No run");
        for (const id of ["chip-model", "chip-speed", "chip-device", "chip-watching"]) setText(id, "");
        return;
      }
      setText("chip-status", lost ? "Connection lost" : pinned ? lookingBack(pinned, run) : this.#progress(run));
      setText("chip-speed", this.#speed(run));
      setText("chip-device", this.#device(run));
      setText("chip-watching", run.viewers ? `${lab.format.count(run.viewers)} watching` : "");
      setText("chip-model", lab.architectures.nameOf(this.model));
      document.title = `${WORDS[run.status] || run.status} · ${lab.architectures.nameOf(this.model)} · Topology Lab`;
    }

    /** Tell screen readers what changed, not every step. */
    #say(words) {
      if (words !== this.said) lab.announce(words);
      this.said = words;
    }

    #progress(run) {
      const words = [WORDS[run.status] || run.status];
      const step = Math.max(this.model.store.lastStep, run.step || 0);
      if (step > 0 || run.status === "running") words.push(`step ${lab.format.count(step)}`);
      const epochs = this.#dataEpochs();
      if (epochs) words.push(`epoch ${epochs.now} of ${epochs.all}`);
      return words.join(" · ");
    }

    #dataEpochs() {
      const { hello, run, store } = this.model;
      if (!hello || !hello.config || !hello.steps_per_epoch) return null;
      const all = Math.max(1, Math.ceil((run.total_steps || 0) / hello.steps_per_epoch));
      const passed = store.get("data_epoch").last;
      return passed === undefined ? null : { now: Math.min(all, Math.floor(passed) + 1), all: lab.format.count(all) };
    }

    #speed(run) {
      const frames = `${Math.round(lab.stats.framesPerSecond)} frames/s`;
      if (run.status !== "running") return frames;
      const rate = run.steps_per_s;
      const steps = rate >= 10 ? Math.round(rate) : rate > 0 ? rate.toFixed(1) : "–";
      return `${steps} steps/s · ${frames}`;
    }

    #device(run) {
      const { device } = run;
      const parts = [];
      if (device) {
        const cores = device.threads ? `${device.threads} ${device.threads === 1 ? "thread" : "threads"}` : "";
        parts.push(device.kind === "cpu" ? ["CPU", cores].filter(Boolean).join(", ") : device.name || device.kind);
      }
      const left = (run.total_steps - Math.max(this.model.store.lastStep, run.step || 0)) / run.steps_per_s;
      if (run.status === "running" && Number.isFinite(left) && left > 0) parts.push(`${lab.format.duration(left)} left`);
      return parts.join(" · ");
    }

    #banner(run, lost) {
      let text = "";
      if (lost) {
        const age = this.model.frame ? ` The pictures are ${lab.format.duration((Date.now() - this.model.frame.time_ms) / 1000)} old.` : "";
        text = `Connection lost at ${lab.format.clock(this.lostSince_ms)}.${age} Trying again…`;
      } else if (run && (run.status === "failed" || run.status === "interrupted") && run.reason) text = run.reason;
      const banner = byId("banner");
      banner.hidden = !text;
      if (banner.textContent !== text) banner.textContent = text;
    }
  }

  Status.WORDS = WORDS;
  lab.Status = Status;
})((window.lab = window.lab || {}));
