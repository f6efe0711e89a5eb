"use strict";
// "What is happening": events in words, newest first. Changes by people in violet, by the controller dotted, phases
// dashed, warnings in amber.
(function (lab) {
  const MOST_SHOWN = 200;
  const WARNING_PHASES = ["idle"];

  /** Pausing and resuming are told by the command that did it; a checkpoint is saved every so often. */
  function isNoise({ kind, data }) {
    return kind === "checkpoint" || (kind === "status" && ["running", "paused", "starting"].includes(data.status) && !data.reason);
  }

  const isWarning = ({ kind, data }) => kind === "rejected" || kind === "error" || WARNING_PHASES.includes(data.phase);

  class EventLog {
    /** `onJump(step, epoch)` shows a moment of an epoch of the run. */
    constructor(onJump) {
      this.list = document.getElementById("events");
      this.onJump = onJump;
    }

    showAll(events) {
      this.list.replaceChildren();
      this.newest = null;
      for (const event of events.slice(-2 * MOST_SHOWN)) this.add(event);
      if (!this.list.childElementCount) this.#placeholder();
    }

    add(event) {
      if (isNoise(event)) return;
      const empty = this.list.querySelector(".events-empty");
      if (empty) empty.remove();
      if (this.newest && this.newest.epoch !== event.epoch) this.list.prepend(this.#divider(event));
      this.newest = event;
      this.list.prepend(this.#item(event));
      while (this.list.childElementCount > MOST_SHOWN) this.list.lastElementChild.remove();
    }

    #placeholder() {
      const item = document.createElement("li");
      item.className = "events-empty";
      item.textContent = "Nothing yet. Changes, phases of the network and warnings appear here.";
      this.list.append(item);
    }

    /** Between two epochs of the run: below it is what the step counter says no more. */
    #divider(event) {
      const item = document.createElement("li");
      item.className = "events-divider";
      item.textContent = event.step < this.newest.step ? "before the reset" : "before the restart";
      return item;
    }

    #item(event) {
      const item = document.createElement("li");
      const changes = lab.marks.changes(event);
      const kind = lab.marks.byController(event) ? "controller" : event.kind;
      item.className = `event event-${isWarning(event) ? "warning" : kind}`;
      const text = document.createElement("p");
      if (changes.length) {
        const strong = document.createElement("b");
        strong.textContent = changes.map(lab.marks.changeLabel).join(", ");
        text.append(strong);
      } else text.textContent = lab.marks.eventInWords(event);
      const meta = document.createElement("p");
      meta.className = "event-meta";
      meta.textContent = this.#when(event);
      if (event.kind === "phase" && event.step > 1) meta.append(" · ", this.#jump(event));
      item.append(text, meta);
      return item;
    }

    #when(event) {
      const asked = event.data.command && event.data.command.requested_step;
      const { count, clock } = lab.format;
      if (event.kind === "applied" && lab.marks.byController(event)) {
        return `by the controller, at step ${count(event.step)}. ${lab.marks.inWords(event.data.reason)}`;
      }
      if (event.kind === "applied" && typeof asked === "number") return `asked at ${count(asked)}, applied at ${count(event.step)}`;
      if (event.kind === "applied") return `applied at step ${count(event.step)}`;
      return `step ${count(event.step)} · ${clock(event.time_ms)}`;
    }

    #jump(event) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "link";
      button.textContent = "see just before";
      button.addEventListener("click", () => this.onJump(event.step - 1, event.epoch));
      return button;
    }
  }

  lab.EventLog = EventLog;
})((window.lab = window.lab || {}));
