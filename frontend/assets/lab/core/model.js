// What a view knows about its run: the hello, the run, its events, its scalars and the newest frame.

import { isIn } from "./lineage.js";
import { recordedName } from "./recorded.js";
import { statusOf } from "./settings.js";
import { Store } from "./store.js";

/** @import { Hello } from "./messages.js" */
/** @import { CommandAnswer, Run, RunEvent } from "./told.js" */
/** @import { Frame } from "./frames.js" */
/** @import { Stretch } from "./lineage.js" */

export class Model {
  store = new Store();
  /** @type {Hello | null} */
  hello = null;
  /** @type {Set<string>} */
  scalarNames = new Set();
  /** @type {Run | null} */
  run = null;
  /** @type {Frame | null} */
  frame = null;
  /** @type {RunEvent[]} */
  events = [];
  /** Epochs that the run shown is made of, newest first. @type {Stretch[]} */
  lineage = [];
  /** What is compared with the run, behind its name in the header. */
  beside = "";
  /** Why who looks may change nothing, in one sentence; empty for who may. It is of the page, not of a run. */
  watchOnly = "";

  forget() {
    this.store.clear();
    this.hello = null;
    this.scalarNames = new Set();
    this.run = null;
    this.frame = null;
    this.events = [];
    this.lineage = [];
  }

  /** Whether a moment is of the run as it is now, and not of what was before a reset. @param {{ epoch: number, step: number }} moment */
  isOfRun(moment) {
    return moment.epoch === this.run?.epoch || isIn(this.lineage, moment);
  }

  /** @param {Hello} hello */
  setHello(hello) {
    this.hello = hello;
    this.scalarNames = new Set(hello.scalar_names);
    this.setRun(hello.run);
    this.events = /** @type {RunEvent[]} */ (hello.events.slice());
  }

  /** Another array each time, so that what is made of the events knows when it is out of date. @param {RunEvent} event */
  addEvent(event) {
    this.events = [...this.events, event];
  }

  /**
   * The run as a message of the socket has it. Its controls are the truth unless an answer to a command came first,
   * with a higher revision.
   *
   * @param {Run} run
   */
  setRun(run) {
    const known = this.run;
    const same = known && known.run_id === run.run_id && known.epoch === run.epoch;
    const older = same && run.revision < known.revision;
    this.run = older ? { ...run, revision: known.revision, controls: known.controls } : run;
  }

  /**
   * What the answer to a command says of the controls, if it is of this run and not older than what is known.
   *
   * @param {string} runId
   * @param {CommandAnswer} answer
   */
  answered(runId, { status, revision, controls, new: values, applied_step }) {
    const { run } = this;
    if (!run || run.run_id !== runId || typeof revision !== "number" || revision < run.revision) return;
    run.revision = revision;
    if (controls) run.controls = controls;
    else if (status === "applied" && values && typeof applied_step === "number") {
      const { requested, applied, applied_step: steps } = run.controls;
      const known = Object.entries(values).filter(([name]) => name in applied);
      const since = Object.fromEntries(known.map(([name]) => [name, applied_step]));
      const set = Object.fromEntries(known);
      run.controls = {
        requested: { ...requested, ...set },
        applied: { ...applied, ...set },
        applied_step: { ...steps, ...since },
      };
    }
  }

  get active() {
    return this.run !== null && statusOf(this.run.status).active;
  }

  /** Whether the run is a recorded one, which holds its pictures of σ(A) and thinned scalars alone. */
  get isRecorded() {
    return recordedName(this.run?.run_id) !== null;
  }

  /** The kind of network; CDSP before it is known. */
  get architecture() {
    return this.hello?.architecture || "cdsp";
  }

  /** Whether the model has a topology matrix A, and with it conflict and a backbone to share. */
  get hasTopology() {
    const said = this.hello?.topology;
    return typeof said === "boolean" ? said : this.architecture === "cdsp";
  }

  /** Whether tokens are routed to experts. */
  get hasRouting() {
    return !this.hello || this.hello.experts > 0;
  }

  get layers() {
    return this.hello ? this.hello.layers : 2;
  }
}
