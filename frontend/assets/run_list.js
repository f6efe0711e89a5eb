"use strict";
// All runs of the server, behind the model's name in the header: what each does, and a way to it.
(function (lab) {
  const LOOK_MS = 5000;
  const SHOWN = 50; // the newest ones; the run on the page is always among them
  const TRAINS = ["starting", "running"];
  const byId = (id) => document.getElementById(id);

  class RunList {
    /** `openRun(runId)` shows another run. */
    constructor(model, openRun) {
      this.model = model;
      this.select = byId("run-list");
      this.select.addEventListener("change", () => openRun(this.select.value));
      this.select.addEventListener("pointerenter", () => this.look());
      this.select.addEventListener("focus", () => this.look());
      document.addEventListener("visibilitychange", () => document.hidden || this.look());
      this.look();
    }

    /** Ask for the runs now, and again later. */
    async look() {
      clearTimeout(this.timer);
      const answer = await lab.request("GET", "/api/runs");
      if (answer.ok) this.#show(answer.body);
      clearTimeout(this.timer); // two looks at once leave one timer
      if (!document.hidden) this.timer = setTimeout(() => this.look(), LOOK_MS);
    }

    /** The page may show another run than before. */
    follow() {
      const shown = this.model.run ? this.model.run.run_id : "";
      if (shown === this.followed) return;
      this.followed = shown;
      this.look();
    }

    #show(runs) {
      const { run } = this.model;
      const shown = run ? run.run_id : "";
      const others = runs.filter((each) => each.run_id !== shown && TRAINS.includes(each.status)).length;
      const listed = runs.filter((each, i) => i < SHOWN || each.run_id === shown);
      const texts = listed.map(inWords);
      if (texts.join("\n") !== this.texts) {
        this.texts = texts.join("\n");
        this.select.replaceChildren(...listed.map((each, i) => new Option(texts[i], each.run_id)));
      }
      this.select.value = shown;
      this.select.disabled = !listed.length;
      this.select.title = !run ? "Choose a run" : `The run shown: preset ${run.preset}, seed ${run.seed}. ${beside(others)}Choose another here.`;
      byId("other-runs").textContent = others ? `+${others}` : "";
    }
  }

  const beside = (others) => (others ? `${others} other ${others === 1 ? "run trains" : "runs train"} on this server. ` : "");

  /** One run of the list. Its step is left out while it changes: an open list stays as it is. */
  function inWords(run) {
    const name = run.name && run.name !== run.preset ? run.name : run.preset;
    const step = run.step && !TRAINS.includes(run.status) ? ` at step ${lab.format.count(run.step)}` : "";
    const words = lab.Status.WORDS[run.status] || run.status;
    return `${name} · seed ${run.seed} · ${words.toLowerCase()}${step} · ${beganAt(run.created_ms)}`;
  }

  /** The clock, and the day when it was not today. */
  function beganAt(time_ms) {
    const day = new Date(time_ms).toLocaleDateString();
    return `${day === new Date().toLocaleDateString() ? "" : `${day} `}${lab.format.clock(time_ms)}`;
  }

  lab.RunList = RunList;
})((window.lab = window.lab || {}));
