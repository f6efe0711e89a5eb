"use strict";
// The live controls. Each shows what was asked, what is in force and since which step, and marks the preset's value.
(function (lab) {
  const POSITIONS = 1000;
  const COMMIT_MS = 250; // keys pressed in a row are one change, and a double-click is none
  const REFUSAL_MS = 6000; // long enough to read a refusal after leaving the field

  /** Slider position (0 to POSITIONS) to value and back, for the scales of the schema. */
  function scaleOf({ scale, low, high, decades }) {
    if (scale === "linear") {
      return { value: (p) => low + ((high - low) * p) / POSITIONS, position: (v) => ((v - low) / (high - low)) * POSITIONS };
    }
    const floor = scale === "log0" ? high * 10 ** -decades : low;
    const ratio = Math.log(high / floor);
    return {
      value: (p) => (scale === "log0" && p <= 0 ? 0 : floor * Math.exp((ratio * p) / POSITIONS)),
      position: (v) => (v <= floor ? 0 : (Math.log(v / floor) / ratio) * POSITIONS),
    };
  }

  class Slider {
    /** `commit(name, value)` sends the change and resolves to {ok, reason, body}. */
    constructor(host, commit) {
      const data = host.dataset;
      this.host = host;
      this.name = data.control;
      this.label = data.label;
      this.gloss = data.gloss;
      this.unit = data.unit;
      this.low = Number(data.low);
      this.high = Number(data.high);
      this.linear = data.scale === "linear";
      this.scale = scaleOf({ scale: data.scale, low: this.low, high: this.high, decades: Number(data.decades) });
      this.commit = commit;
      this.waiting = 0;
      this.touched = false;
      this.truth = null;
      this.problem = null;
      this.#build();
      this.#listen();
    }

    #build() {
      const id = `value-${this.name}`;
      this.host.innerHTML = `
        <div class="control-head">
          <label for="${id}"></label>
          <button type="button" class="control-preset" hidden></button>
          <span class="control-entry"><input class="control-value" id="${id}" inputmode="decimal" autocomplete="off" disabled><span class="control-unit"></span></span>
        </div>
        <div class="control-rail">
          <span class="control-tick" hidden></span>
          <input type="range" id="range-${this.name}" min="0" max="${POSITIONS}" step="1" disabled>
        </div>
        <p class="note" id="note-${this.name}" aria-live="polite"></p>`;
      const find = (selector) => this.host.querySelector(selector);
      [this.entry, this.range, this.note, this.tick] = [".control-value", "input[type=range]", ".note", ".control-tick"].map(find);
      this.back = find(".control-preset");
      const gloss = Object.assign(document.createElement("span"), { className: "control-gloss", textContent: this.gloss });
      find("label").append(this.label, " ", gloss);
      find(".control-unit").textContent = this.unit ? `\u2009${this.unit}` : "";
      this.range.setAttribute("aria-label", this.label);
      this.range.setAttribute("aria-describedby", this.note.id);
      this.entry.setAttribute("aria-describedby", this.note.id);
      this.note.textContent = "\u00a0";
    }

    #listen() {
      this.range.addEventListener("input", () => {
        this.touched = true;
        this.#display(this.#rounded(Number(this.range.value)), false);
      });
      this.range.addEventListener("keydown", (event) => {
        const value = this.#byKey(event.key);
        if (value === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.touched = true;
        this.#display(value, true);
        this.#soon(value);
      });
      this.range.addEventListener("change", () => this.#soon(this.#rounded(Number(this.range.value))));
      this.back.addEventListener("click", () => {
        this.#restore();
        this.range.focus();
      });
      this.range.addEventListener("dblclick", () => this.#restore());
      this.entry.addEventListener("focus", () => this.entry.select());
      this.entry.addEventListener("change", () => this.#typed());
      this.entry.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.entry.blur();
        if (event.key === "Escape") {
          this.entry.value = lab.format.setting(this.truth.requested);
          this.#forgive();
          this.entry.blur();
        }
      });
    }

    /** The value a key moves to: arrows to the next one that differs, Page by a tenth; undefined for other keys. */
    #byKey(key) {
      if (key === "Home") return this.low;
      if (key === "End") return this.high;
      const up = { ArrowRight: true, ArrowUp: true, PageUp: true, ArrowLeft: false, ArrowDown: false, PageDown: false }[key];
      if (up === undefined) return undefined;
      const stride = (up ? 1 : -1) * (key.startsWith("Page") ? POSITIONS / 10 : 1);
      const limit = up ? this.high : this.low;
      const beyond = (value) => (up ? value > this.shown : value < this.shown);
      let position = Math.round(this.scale.position(this.shown));
      while (up ? position < POSITIONS : position > 0) {
        position = Math.max(0, Math.min(POSITIONS, position + stride));
        const value = this.#rounded(position);
        if (beyond(value)) return value;
      }
      return limit;
    }

    #soon(value) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(value), COMMIT_MS);
    }

    #rounded(position) {
      const value = this.scale.value(position);
      if (position >= POSITIONS) return this.high;
      return this.linear ? Math.round(value * 100) / 100 : Number(value.toPrecision(2));
    }

    #typed() {
      const text = this.entry.value.trim().replace(/\s*×$/, "");
      const value = lab.format.decimal(text);
      const found = text.slice(0, 20) || "nothing";
      if (value === null && text.includes(",")) {
        this.#refuse(`${this.label} must be written with a decimal point and without thousands separators. Found ${found}.`);
      } else if (value === null || value < this.low || value > this.high) {
        const span = `${lab.format.setting(this.low)} to ${lab.format.setting(this.high)}`;
        this.#refuse(`${this.label} must be ${span}. Found ${found}.`);
      } else this.ask(value);
    }

    #restore() {
      clearTimeout(this.timer);
      if (this.preset !== undefined) this.ask(this.preset);
    }

    /** Ask for a value, show that it is under way, then what the worker said. */
    async ask(value) {
      if (!this.truth) return;
      clearTimeout(this.timer);
      this.problem = null;
      if (value === (this.waiting ? this.asked : this.truth.requested)) {
        this.touched = false;
        this.#show();
        return;
      }
      this.asked = value;
      this.touched = true;
      this.waiting += 1;
      this.#display(value, true);
      this.#explain();
      const asked_ms = performance.now();
      const result = await this.commit(this.name, value);
      this.waiting -= 1;
      if (this.waiting) return;
      this.touched = false;
      if (!result.ok) {
        this.#refuse(result.reason);
        return;
      }
      lab.stats.settled(performance.now() - asked_ms);
      const before = this.truth.applied;
      const after = result.body.new && this.name in result.body.new ? result.body.new[this.name] : value;
      this.truth = { ...this.truth, requested: after, applied: after, step: result.body.applied_step, before, by: "person" };
      this.#show();
    }

    #refuse(reason) {
      this.problem = lab.marks.inWords(reason);
      this.touched = false;
      clearTimeout(this.forgiving);
      this.forgiving = setTimeout(() => this.#forgive(), REFUSAL_MS);
      this.#show();
    }

    /** The refusal has been read: what is in force is said again. */
    #forgive() {
      if (!this.problem) return;
      this.problem = null;
      this.#show();
    }

    /**
     * The run's truth: {requested, applied, step, life, before}; `life` names run and epoch. Ignored while a change of
     * one's own is under way, and where it is older than what is known of the same life.
     */
    setTruth(truth, preset) {
      if (this.preset !== preset) {
        this.preset = preset;
        this.#offerPreset();
      }
      const known = this.truth;
      const same = Boolean(known) && known.life === truth.life;
      if (same && known.step === truth.step && truth.before === undefined) Object.assign(truth, { before: known.before, by: known.by });
      if (this.waiting || (same && known.step > truth.step)) return;
      const changed = !same || known.requested !== truth.requested || known.applied !== truth.applied || known.step !== truth.step;
      this.truth = truth;
      if (changed && !this.touched) this.problem = null;
      if (changed || this.range.disabled) this.#show();
    }

    /** `reason`: why it is off, shown as the tooltip; `unused`, {short, full}: why it does nothing for this model. */
    setEnabled(enabled, reason, unused) {
      for (const input of [this.range, this.entry, this.back]) input.disabled = !enabled || Boolean(unused);
      if ((this.unused && this.unused.short) !== (unused && unused.short)) {
        this.unused = unused;
        this.#show();
      }
      const title = unused ? unused.full : enabled ? "" : reason;
      for (const input of [this.range, this.entry]) if (input.title !== title) input.title = title;
    }

    #offerPreset() {
      const moved = this.truth && this.preset !== undefined && this.truth.requested !== this.preset;
      this.back.hidden = !moved;
      this.host.classList.toggle("is-moved", Boolean(moved));
      this.tick.hidden = !moved || Boolean(this.unused);
      if (!moved) return;
      const share = Math.max(0, Math.min(1, this.scale.position(this.preset) / POSITIONS));
      this.tick.style.left = `calc(8px + (100% - 16px) * ${share})`;
      const text = lab.format.setting(this.preset);
      this.back.textContent = `preset ${text}`;
      this.back.title = `Back to the preset's ${this.label}, ${text}`;
    }

    #show() {
      if (!this.truth) return;
      if (!this.touched) this.#display(this.truth.requested, true);
      this.#explain();
      this.#offerPreset();
    }

    #display(value, moveThumb) {
      this.shown = value;
      const position = Math.max(0, Math.min(POSITIONS, this.scale.position(value)));
      if (moveThumb) this.range.value = String(Math.round(position));
      const text = lab.format.setting(value);
      if (document.activeElement !== this.entry || this.waiting) this.entry.value = text;
      this.range.style.setProperty("--fill", `${position / (POSITIONS / 100)}%`);
      this.range.setAttribute("aria-valuetext", `${text}${this.unit ? " " + this.unit : ""}`);
    }

    #explain() {
      const { applied, step, before, by, requested } = this.truth;
      const underWay = this.waiting > 0 || requested !== applied;
      const moved = before !== undefined && before !== applied;
      const changed = by === "controller" ? "steered" : "changed";
      const state = this.unused ? "unused" : this.problem ? "wrong" : underWay ? "waiting" : moved ? changed : "calm";
      const setting = lab.format.setting;
      const texts = {
        wrong: this.problem,
        waiting: `${setting(applied)} in force, waiting for the next step…`,
        changed: `${moved ? setting(before) : ""} → ${setting(applied)}, applied at step ${lab.format.count(step)}`,
        steered: `${moved ? setting(before) : ""} → ${setting(applied)} by the controller, step ${lab.format.count(step)}`,
        unused: this.unused && this.unused.short,
        calm: step > 0 ? `applied at step ${lab.format.count(step)}` : "",
      };
      this.host.dataset.state = state;
      if (this.note.textContent !== texts[state]) this.note.textContent = texts[state];
    }
  }

  lab.Slider = Slider;
})((window.lab = window.lab || {}));
