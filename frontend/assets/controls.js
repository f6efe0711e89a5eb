"use strict";
// Run, pause, step, run until a step, reset, speed, preset, seed, new run, and the sliders: everything that posts a command.
(function (lab) {
  const MAX_SEED = 2 ** 31 - 1;
  const byId = (id) => document.getElementById(id);

  const RESTING = {
    finished: "Finished: reset it or start a new run.",
    interrupted: "Interrupted: resume it, reset it or start a new run.",
    failed: "Failed: resume it, reset it or start a new run.",
  };

  const isRunning = (run) => Boolean(run) && (run.status === "running" || run.status === "starting");

  class Controls {
    /** `openRun(runId)` shows another run. */
    constructor(model, openRun) {
      this.model = model;
      this.openRun = openRun;
      this.commands = new lab.Commands(model);
      this.presets = {};
      const hosts = [...document.querySelectorAll("[data-control]")];
      this.sliders = hosts.map((host) => new lab.Slider(host, (name, value) => this.#set(name, value)));
      this.#buildSeed();
      this.#buildUntil();
      byId("run-pause").addEventListener("click", () => this.runOrPause());
      byId("step").addEventListener("click", () => this.step());
      byId("reset").addEventListener("click", () => this.reset());
      byId("preset").addEventListener("change", () => this.#explainPreset());
      byId("speed").addEventListener("change", (event) => this.#speed(event.target.value));
      byId("new-run").addEventListener("click", () => this.#newRun());
      byId("sheet-toggle").addEventListener("click", () => this.toggleSheet());
      byId("sheet-toggle").setAttribute("aria-expanded", "false");
      byId("sheet-toggle").setAttribute("aria-controls", "sheet");
      this.#loadPresets();
    }

    async #loadPresets() {
      const answer = await lab.request("GET", "/api/presets");
      if (!answer.ok) return;
      for (const { name, text, config } of answer.body) {
        this.presets[name] = config;
        const option = [...byId("preset").options].find((o) => o.value === name);
        if (option) option.dataset.text = text;
      }
      this.#explainPreset();
      this.refresh();
    }

    #explainPreset() {
      const [option] = byId("preset").selectedOptions;
      const text = (option && option.dataset.text) || "";
      byId("preset-note").textContent = text && `${text[0].toUpperCase()}${text.slice(1)}.`;
    }

    #buildSeed() {
      this.seed = document.createElement("input");
      Object.assign(this.seed, { id: "seed", inputMode: "numeric", autocomplete: "off", value: "0" });
      const dice = document.createElement("button");
      Object.assign(dice, { type: "button", className: "icon-button", title: "Another seed", innerHTML: '<span class="icon icon-dice"></span>' });
      dice.setAttribute("aria-label", "Another seed");
      dice.addEventListener("click", () => {
        this.seed.value = String(Math.floor(Math.random() * 10000));
      });
      this.seed.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.#newRun();
      });
      this.seed.addEventListener("input", () => {
        byId("new-run-note").textContent = "";
      });
      byId("seed-field").append(this.seed, dice);
    }

    #buildUntil() {
      this.stop = "";
      this.until = document.createElement("input");
      Object.assign(this.until, { id: "until", inputMode: "numeric", autocomplete: "off", placeholder: "no stop", title: "Enter: run, then pause there" });
      this.until.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.#runUntil(this.until.value.trim());
        if (event.key === "Escape") this.until.blur();
      });
      this.until.addEventListener("input", () => this.#tell(null));
      this.until.addEventListener("blur", () => {
        this.#showStop();
        this.#tell(null);
      });
      byId("until-field").append(this.until);
    }

    async #runUntil(text) {
      if (text === "") {
        const stopped = this.stop;
        this.stop = "";
        if (stopped && isRunning(this.model.run)) this.#say(this.commands.send("resume"));
        return;
      }
      const step = lab.format.whole(text);
      if (step === null) {
        this.#tell(`Run until step must be a whole number. Found ${text.slice(0, 20)}.`);
        return;
      }
      const result = await this.#say(this.commands.send("run_until", { step }));
      if (!result.ok) return;
      this.stop = text;
      lab.announce(`Running until step ${text}.`);
      if (document.activeElement !== this.until) this.#showStop();
    }

    /** The last stop that was accepted, in place of what was typed since. */
    #showStop() {
      this.until.value = this.stop;
    }

    /** Show a run's truth in every control. */
    refresh() {
      const { run } = this.model;
      const held = Boolean(run) && run.status !== "queued";
      const enabled = held && this.model.active;
      for (const id of ["step", "speed", "until"]) byId(id).disabled = !enabled;
      byId("run-pause").disabled = !held || run.status === "finished";
      byId("reset").disabled = !held;
      this.#runButton(run);
      const rest = run && RESTING[run.status];
      if (this.rest !== rest) {
        this.rest = rest;
        this.#tell(null);
      }
      byId("new-run").textContent = this.model.active ? "Stop this, start new" : "Start new run";
      for (const slider of this.sliders) slider.setEnabled(enabled, rest || "", lab.architectures.unused(this.model, slider.name));
      if (!run || !run.controls) return;
      const preset = this.presets[run.preset];
      const { requested, applied, applied_step: steps } = run.controls;
      for (const slider of this.sliders) {
        const { name } = slider;
        if (!(name in requested)) continue;
        const truth = { requested: requested[name], applied: applied[name], step: (steps || {})[name] || 0, life: `${run.run_id}:${run.epoch}` };
        slider.setTruth({ ...truth, ...this.#lastChange(name, truth.step) }, preset && preset.controls[name]);
      }
      const speed = byId("speed");
      if (document.activeElement !== speed) this.#showSpeed(speed, run.speed);
      if (this.shownRun !== run.run_id) {
        this.stop = "";
        this.#showStop();
      }
      if (this.shownRun !== run.run_id || this.shownSeed !== run.seed) {
        this.shownRun = run.run_id;
        this.shownSeed = run.seed;
        this.seed.value = String(run.seed);
        byId("preset").value = run.preset;
        this.#explainPreset();
      }
    }

    #runButton(run) {
      const running = isRunning(run);
      const button = byId("run-pause");
      const [icon, text] = [button.querySelector(".icon"), button.querySelector(".button-text")];
      icon.className = `icon icon-${running ? "pause" : "play"}`;
      text.textContent = running ? "Pause" : run && (run.status === "interrupted" || run.status === "failed") ? "Resume" : "Run";
    }

    #showSpeed(select, speed) {
      const value = speed === null || speed === undefined ? "" : String(speed);
      if (![...select.options].some((option) => option.value === value)) select.add(new Option(`${value} steps/s`, value));
      select.value = value;
    }

    /** The value a control had before its last change and who changed it, {before, by}, from the events. */
    #lastChange(name, step) {
      const { events, run } = this.model;
      for (let i = events.length - 1; i >= 0; i--) {
        if (events[i].epoch !== run.epoch || events[i].step !== step) continue;
        const change = lab.marks.changes(events[i]).find((c) => c.name === name);
        if (change) return { before: change.from, by: lab.marks.byController(events[i]) ? "controller" : "person" };
      }
      return {};
    }

    async #set(name, value) {
      const result = await this.commands.send("set", { controls: { [name]: value } });
      if (result.status === 409) setTimeout(() => this.refresh()); // someone else was first: show their values
      return result;
    }

    async #say(promise) {
      const result = await promise;
      this.#tell(result.ok ? null : lab.marks.inWords(result.reason));
      return result;
    }

    /** What went wrong, or with null what can be done with a run at rest. */
    #tell(problem) {
      const note = byId("transport-note");
      note.textContent = problem || this.rest || "";
      note.classList.toggle("is-wrong", Boolean(problem));
      if (problem) lab.announce(problem);
    }

    runOrPause() {
      if (byId("run-pause").disabled) return;
      this.#say(this.commands.send(isRunning(this.model.run) ? "pause" : "resume"));
    }

    step() {
      if (!byId("step").disabled) this.#say(this.commands.send("step", { steps: 1 }));
    }

    reset() {
      if (!byId("reset").disabled) this.#say(this.commands.send("reset"));
    }

    #speed(value) {
      this.#say(this.commands.send("speed", { steps_per_s: value === "" ? null : Number(value) }));
    }

    async #newRun() {
      const note = byId("new-run-note");
      const seed = lab.format.whole(this.seed.value.trim());
      if (seed === null || seed > MAX_SEED) {
        note.classList.add("is-wrong");
        note.textContent = `Seed must be a whole number from 0 to ${MAX_SEED}. Found ${this.seed.value.trim() || "nothing"}.`;
        return;
      }
      await this.start(byId("preset").value, seed, note);
    }

    /** Start a run and show it; the run shown before is stopped, so that it does not take half the machine. */
    async start(preset, seed, note) {
      const before = this.model.active ? this.model.run.run_id : null;
      note.classList.remove("is-wrong");
      note.textContent = "starting…";
      byId("new-run").disabled = true;
      const answer = await lab.request("POST", "/api/runs", { preset, seed });
      byId("new-run").disabled = false;
      note.classList.toggle("is-wrong", !answer.ok);
      note.textContent = answer.ok ? "" : answer.reason;
      if (!answer.ok) return;
      if (before) await this.commands.send("stop");
      this.openRun(answer.body.run_id);
    }

    toggleSheet(open = !byId("sheet").classList.contains("is-open")) {
      byId("sheet").classList.toggle("is-open", open);
      byId("sheet-toggle").setAttribute("aria-expanded", String(open));
    }
  }

  lab.Controls = Controls;
})((window.lab = window.lab || {}));
