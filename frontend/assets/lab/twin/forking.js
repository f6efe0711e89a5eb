// A fork: the next change of a force leaves a twin that takes it, and can be taken back.

import { announce } from "../core/announcer.js";
import { inWords } from "../core/events.js";
import { request, runPath } from "../core/requests.js";
import { settings } from "../core/settings.js";
import { MOST_RUNS } from "./choice.js";

/** @import { Answer } from "../core/requests.js" */
/** @import { RunView } from "../run_view.js" */
/** @import { ComparedRuns } from "./compared_runs.js" */

export class Forking {
  /** Whether the next change of a force makes a twin. */
  isArmed = false;
  /** Whether a fork is being made. */
  isUnderWay = false;
  /** Why the last one was refused. */
  wrong = "";
  /** Steps a second of A before its twin trained beside it. @type {number | null} */
  alone = null;
  #view;
  #compared;
  #on;

  /**
   * @param {RunView} view of run A
   * @param {ComparedRuns} compared
   * @param {{ changed: () => void, compareWith: (runIds: string[]) => void, without: (runId: string) => void }} on
   */
  constructor(view, compared, on) {
    this.#view = view;
    this.#compared = compared;
    this.#on = on;
    view.controls.forces.divert = (name, value) => (this.isArmed ? this.#fork(name, value) : null);
  }

  /** Why the run cannot be forked; empty where it can. */
  get whyNot() {
    const { run, active, watchOnly } = this.#view.model;
    if (watchOnly) return watchOnly;
    if (this.#compared.guests.length >= MOST_RUNS - 1) {
      return `At most ${MOST_RUNS} runs are shown at once: leave one out first.`;
    }
    if (this.#view.model.isRecorded) {
      return "A recorded run holds no weights, so it cannot be forked: start a run from its settings to fork that.";
    }
    if (!run || !active) {
      return "The run shown has ended, so no change can be made to it: start another run to fork it.";
    }
    if (run.status === "queued" || run.status === "starting") return "The run has not begun to train yet.";
    return "";
  }

  /** The next change makes a twin. */
  arm() {
    this.isArmed = true;
    this.wrong = "";
    announce("The next change of a force makes a twin.");
    this.#on.changed();
  }

  disarm() {
    this.isArmed = false;
    announce("No twin is made.");
    this.#on.changed();
  }

  /**
   * Fork the run: the twin takes the change, the run goes on without it.
   *
   * @param {string} name
   * @param {number} value
   * @returns {Promise<Answer>}
   */
  async #fork(name, value) {
    const { run } = this.#view.model;
    if (!run) return { ok: false, status: 0, body: {}, reason: "There is no run to fork." };
    this.isArmed = false;
    this.isUnderWay = true;
    this.alone = run.status === "running" ? run.steps_per_s : null;
    this.#on.changed();
    const answer = await request("POST", `${runPath(run.run_id)}/fork`, { controls: { [name]: value } });
    this.isUnderWay = false;
    if (!answer.ok) {
      this.isArmed = true; // the next try may succeed
      this.wrong = inWords(answer.reason);
      this.#on.changed();
      return answer;
    }
    announce(`Run B is a twin of this run with ${settings.controls[name].label} ${value}.`);
    await this.#compared.look(true);
    if (this.#view.stream.runId !== run.run_id) return answer; // another run is shown by now
    this.#on.compareWith([answer.body.run_id, ...this.#compared.ids]);
    const kept = { new: { [name]: run.controls.applied[name] }, applied_step: run.controls.applied_step[name] ?? 0 };
    return { ...answer, body: kept }; // this run's value stays
  }

  /** Take the change back: the fork is ended, the run that it came from is shown alone, as if it had never been. */
  async undo() {
    const { forked, guests } = this.#compared;
    const [own, other] = [this.#view.stream.runId, guests[0]?.runId];
    if (!forked || !own || !other) return;
    const gone = forked === "b" ? other : own;
    const id = `undo-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("")}`;
    const isActive = (forked === "b" ? guests[0].model : this.#view.model).active;
    const answer = isActive
      ? await request("POST", `${runPath(gone)}/commands`, { command_id: id, type: "stop" })
      : { ok: true, reason: "" };
    if (!answer.ok) {
      this.wrong = inWords(answer.reason);
      this.#on.changed();
      return;
    }
    if (forked === "a") this.#view.open(other);
    else this.#on.without(other);
    announce("The fork is undone: its run was stopped, the other never took the change.");
  }
}
