"use strict";
// One study of the page, folded: its title and verdicts, its button, and inside its question and claims with what is
// stored and what was measured just now.
(function (lab) {
  const RUNNING = ["waiting", "running"];
  const RECENT_MS = 3600 * 1000;
  const COUNTED = { holds: "hold", mixed: "mixed", fails: "fail" };
  const FORMS = { smallest: "smallest form", whole: "whole form" };

  function make(tag, className, ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content.filter((part) => part !== null && part !== undefined && part !== ""));
    return element;
  }

  class Study {
    /** `stored` is the study's entry in evidence.json or null; `act(name, verb)` starts or stops it. */
    constructor(name, stored, act) {
      this.name = name;
      this.stored = stored;
      this.element = make("section", "panel study");
      this.element.id = `study-${name}`;
      this.title = make("h2");
      this.title.id = `title-${name}`;
      this.element.setAttribute("aria-labelledby", this.title.id);
      this.button = make("button", "button");
      this.button.type = "button";
      this.button.addEventListener("click", () => act(name, this.isRunning ? "stop" : "start"));
      this.question = make("p", "study-question");
      this.progress = this.#progressBar();
      this.note = make("p", "note study-note");
      this.note.setAttribute("aria-live", "polite");
      this.claims = make("ul", "claim-list");
      this.counts = make("span", "study-counts");
      const body = make("div", "study-body", this.question, this.#about(), this.claims, ...this.#more());
      this.fold = make("details", "study-fold", make("summary", "", this.title, this.counts), body);
      this.element.append(this.button, this.fold, this.progress.box, this.note);
      this.shown = undefined;
      this.filter = "all";
      this.#showClaims(null);
    }

    get isRunning() {
      return Boolean(this.live) && RUNNING.includes(this.live.state);
    }

    #progressBar() {
      const fill = make("span", "study-fill");
      const bar = make("div", "study-bar", fill);
      for (const [name, value] of Object.entries({ role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" })) bar.setAttribute(name, value);
      bar.setAttribute("aria-labelledby", this.title.id);
      const text = make("span", "study-progress-text");
      const box = make("div", "study-progress", bar, text);
      box.hidden = true;
      return { box, bar, fill, text };
    }

    /** Where the stored results come from. */
    #about() {
      const { stored } = this;
      const parts = stored ? [FORMS[stored.form] || stored.form, `${stored.seeds} ${stored.seeds === 1 ? "seed" : "seeds"}`, stored.data] : [];
      return make("p", "study-about", make("code", "", (stored && stored.command) || `study ${this.name}`), parts.length ? ` · ${parts.filter(Boolean).join(" · ")}` : " · no stored results");
    }

    /** Charts and notes of the stored results, on demand. */
    #more() {
      const { charts = [], notes = [] } = this.stored || {};
      if (!charts.length && !notes.length) return [];
      const names = [charts.length ? `${charts.length} ${charts.length === 1 ? "chart" : "charts"}` : "", notes.length ? "notes" : ""];
      const box = make("details", "study-more", make("summary", "", names.filter(Boolean).join(" and ")));
      box.addEventListener("toggle", () => {
        if (!box.open || box.childElementCount > 1) return;
        box.append(make("div", "study-charts", ...charts.map(lab.studyChart.draw)), ...notes.map((note) => make("p", "study-about", lab.format.minus(note))));
      });
      return [box];
    }

    /** The study as the server knows it; `unavailable`: why none can be started, or null. */
    show(live, unavailable) {
      const before = this.live && this.live.state;
      const ran = this.isRunning;
      this.live = live;
      if (this.isRunning && !ran) this.fold.open = true;
      this.title.textContent = live.title;
      this.question.textContent = live.question;
      this.#showButton(unavailable);
      this.#showProgress();
      if (before && before !== live.state) lab.announce(`${live.title}: ${live.state}.`);
      const key = live.result ? live.result.ended_ms : null;
      if (key !== this.shown) {
        this.shown = key;
        this.#showClaims(live.result);
      } else this.#filterClaims();
    }

    /** A study that the server does not know, from the stored results alone. */
    showStored() {
      this.title.textContent = this.stored.title;
      this.question.textContent = this.stored.question;
      this.button.hidden = true;
    }

    #showButton(unavailable) {
      const { button, live } = this;
      button.textContent = this.isRunning ? "Stop" : live.state === "stopped" || live.state === "failed" ? "Go on measuring" : live.result ? "Measure again" : "Measure now";
      button.disabled = !this.isRunning && Boolean(unavailable);
      button.title = button.disabled ? unavailable : this.isRunning ? "End it; started again, it goes on from here" : "Its smallest form, on this machine: some minutes";
      button.setAttribute("aria-label", `${button.textContent}: ${live.title}`);
    }

    #showProgress() {
      const { live, progress } = this;
      progress.box.hidden = !this.isRunning;
      const share = live.total ? Math.max(0, Math.min(1, live.done / live.total)) : 0;
      progress.fill.style.width = `${100 * share}%`;
      progress.bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
      const jobs = live.total ? `${lab.format.percent(share)} of ${live.total} ${live.total === 1 ? "job" : "jobs"}` : "";
      progress.text.textContent = [jobs, live.text].filter(Boolean).join(" · ");
      const wrong = live.state === "failed";
      this.note.textContent = this.isRunning || live.state === "idle" || !live.reason ? "" : live.reason;
      this.note.classList.toggle("is-wrong", wrong);
    }

    /** Stored claims, beside each what was measured just now; then those that only the new result has. */
    #showClaims(result) {
      const open = new Set([...this.claims.querySelectorAll("details[open]")].map((box) => box.dataset.claim));
      const stored = this.stored ? this.stored.claims : [];
      const fresh = result ? result.claims : [];
      const when = result ? agoInWords(result.ended_ms) : "";
      const rows = stored.map((claim) => claimRow(claim, fresh.find((other) => other.claim === claim.claim), when));
      rows.push(...fresh.filter((claim) => !stored.some((other) => other.claim === claim.claim)).map((claim) => claimRow(null, claim, when)));
      this.claims.replaceChildren(...rows);
      for (const box of this.claims.querySelectorAll("details")) box.open = open.has(box.dataset.claim);
      this.counted = stored.length ? stored : fresh;
      this.#showCounts();
      this.#filterClaims();
    }

    /** How many claims hold, are mixed and fail, seen while folded; only those that the filter shows. */
    #showCounts() {
      const claims = this.counted;
      const counts = Object.keys(COUNTED).map((word) => [word, claims.filter((claim) => claim.verdict === word).length]);
      const asked = ([word, count]) => count && (this.filter === "all" || this.filter === word);
      const parts = counts.filter(asked).map(([word, count]) => make("span", "verdict", make("span", `shape shape-${word}`), `${count} ${COUNTED[word]}`));
      this.counts.replaceChildren(...(parts.length || claims.length ? parts : ["not measured yet"]));
    }

    /** Show the claims with one verdict, unfolded, or "all"; what the filter unfolded is folded by "all". */
    showOnly(filter) {
      this.filter = filter;
      this.#showCounts();
      this.#filterClaims();
      if (filter === "all") {
        if (this.unfolded) this.fold.open = false;
        this.unfolded = false;
      } else if (!this.fold.open) {
        this.fold.open = true;
        this.unfolded = true;
      }
    }

    #filterClaims() {
      const rows = [...this.claims.children];
      for (const row of rows) row.hidden = this.filter !== "all" && !row.dataset.verdicts.split(" ").includes(this.filter);
      this.element.hidden = this.filter !== "all" && rows.every((row) => row.hidden) && !this.isRunning;
    }
  }

  function agoInWords(time_ms) {
    const clock = lab.format.clock(time_ms);
    return Date.now() - time_ms < RECENT_MS ? `just now, at ${clock}` : `on ${new Date(time_ms).toLocaleDateString()} at ${clock}`;
  }

  function verdict(word) {
    return make("span", `verdict verdict-${word}`, make("span", `shape shape-${word}`), word);
  }

  /** One claim: `stored`, `fresh` or both are there. */
  function claimRow(stored, fresh, when) {
    const claim = stored || fresh;
    const row = make("li", "claim");
    const { minus } = lab.format;
    row.dataset.verdicts = [stored, fresh].filter(Boolean).map((each) => each.verdict).join(" ");
    row.classList.toggle("is-unpublished", !claim.published);
    const words = make("div", "claim-words", make("p", "claim-text", minus(claim.claim)), make("p", "claim-source", claim.source));
    const paper = claim.published ? make("div", "claim-paper", make("span", "claim-label", "Published"), make("p", "", minus(claim.published))) : null;
    const here = make("div", "claim-here", make("span", "claim-label", "Measured"));
    if (stored) here.append(make("p", "", minus(stored.text)));
    if (fresh) here.append(make("p", "claim-fresh", stored ? verdict(fresh.verdict) : null, make("span", "", `${stored ? " " : ""}${when}: ${minus(fresh.text)}`)));
    const measured = [stored && { ...stored, name: "stored" }, fresh && { ...fresh, name: "new", isNew: true }].filter(Boolean);
    const drawing = lab.whisker.draw(measured);
    const seeds = (from) => `${from.seeds} ${from.seeds === 1 ? "seed" : "seeds"}`;
    const plot = make("div", "claim-plot", drawing, make("p", "claim-source", measured.map((m) => `${m.isNew ? "○ new" : "● stored"}, ${seeds(m)}`).join(" · ")));
    if (claim.why) words.append(reason(claim));
    row.append(...[make("div", "claim-verdict", verdict(claim.verdict)), words, paper, here, plot].filter(Boolean));
    return row;
  }

  /** The rule behind a verdict and what was found about it, on demand. */
  function reason(claim) {
    const why = make("details", "claim-why", make("summary", "", "Why"), make("p", "", lab.format.minus(claim.why)));
    why.dataset.claim = claim.claim;
    why.querySelector("summary").setAttribute("aria-label", `Why: ${claim.claim}`);
    return why;
  }

  lab.Study = Study;
})((window.lab = window.lab || {}));
