// The runs of a comparison: the page's own as A, those beside it, and what the server lists of each.

import { letterOf, PLACES } from "../charts/beside.js";
import { eventsIn } from "../core/lineage.js";
import { listedOf, recordedName } from "../core/recorded.js";
import { request } from "../core/requests.js";
import { namesOf } from "./choice.js";
import { Guest } from "./guest.js";

/** @import { ListedRun } from "../core/messages.js" */
/** @import { RunEvent } from "../core/told.js" */
/** @import { RunView } from "../run_view.js" */

const LOOK_MS = 5000; // for runs that a choice or a name is made of

export class ComparedRuns {
  /** The runs beside A, B first. @type {Guest[]} */
  guests = [];
  /** Runs as the server lists them, newest first. @type {ListedRun[]} */
  runs = [];
  #looked_ms = -LOOK_MS;
  #view;
  #on;

  /**
   * @param {RunView} view of run A
   * @param {{ changed: () => void, missing: (runId: string) => void }} on something is known that was not; a run is gone
   */
  constructor(view, on) {
    this.#view = view;
    this.#on = on;
  }

  close() {
    for (const guest of this.guests) guest.close();
  }

  /** The ids of the runs beside A. */
  get ids() {
    return this.guests.map(({ runId }) => runId);
  }

  /** Have these runs beside A; those that were there already stay as they are. @param {string[]} runIds B first */
  set(runIds) {
    const kept = this.guests.filter(({ runId }) => runIds.includes(runId));
    for (const guest of this.guests) if (!kept.includes(guest)) guest.close();
    this.guests = runIds.map(
      (runId) => kept.find((guest) => guest.runId === runId) ?? new Guest(runId, { ...this.#on }),
    );
  }

  /**
   * Ask for the runs, unless that was just done; for recorded ones where one of them is shown or wanted.
   *
   * @param {boolean} [now]
   * @param {string[]} [runIds] wanted
   */
  async look(now = false, runIds = []) {
    if (!now && performance.now() - this.#looked_ms < LOOK_MS) return;
    this.#looked_ms = performance.now();
    const wanted = [this.#view.stream.runId, ...this.ids, ...runIds];
    const recordedNames = wanted.flatMap((runId) => recordedName(runId) ?? []);
    const [runs, recorded] = await Promise.all([
      request("GET", "/api/runs"),
      recordedNames.length ? request("GET", `/api/recorded?also=${encodeURIComponent(recordedNames.join(","))}`) : null,
    ]);
    if (runs.ok) this.runs = [...runs.body, ...(recorded?.ok ? recorded.body.recorded.map(listedOf) : [])];
    this.#on.changed();
  }

  /** A run as it is listed, with what is known of it since. @param {string} runId @returns {ListedRun | null} */
  listed(runId) {
    const found = this.runs.find((run) => run.run_id === runId);
    if (!found) return null;
    const { model } = this.#view;
    const known = model.run?.run_id === runId ? model : this.guests.find((guest) => guest.runId === runId)?.model;
    return known?.run ? { ...found, ...known.run } : found;
  }

  /** A's listing and those of the runs beside it, as far as they are known. */
  get all() {
    return [this.#view.stream.runId ?? "", ...this.ids].map((runId) => this.listed(runId));
  }

  /** What the runs are called beside each other, A first. @returns {string[]} */
  get names() {
    const { all } = this;
    const known = all.flatMap((run) => (run ? [run] : []));
    const names = new Map(namesOf(known).map((name, i) => [known[i].run_id, name || known[i].name]));
    return all.map((run, i) => (run && names.get(run.run_id)) || letterOf(PLACES[i]));
  }

  /** The one of A and B that was forked from the other, as "a" or "b"; null where none was. */
  get forked() {
    const [a, b] = [this.#view.model.run, this.guests[0]?.model.run];
    if (!a || !b) return null;
    if (b.parent?.run_id === a.run_id) return "b";
    return a.parent?.run_id === b.run_id ? "a" : null;
  }

  /** A's newest step. */
  get ownLast() {
    return Math.max(this.#view.charts.ownLast, this.#view.model.run?.step ?? 0);
  }

  /** How far each has come, A first. */
  get reaches() {
    const own = { last: this.ownLast, goesOn: this.#view.model.run?.status === "running" };
    return [own, ...this.guests.map(({ last, goesOn }) => ({ last, goesOn }))];
  }

  /** Events of a run beside, without those that it shares with A as its fork. @param {Guest} guest */
  eventsOf(guest) {
    const { run } = guest.model;
    const own = this.#view.model.run;
    const events = eventsIn(guest.model.events, guest.moments.lineage);
    const from = run && own ? sharedUntil(own, run) : null;
    return from === null ? events : events.filter((event) => event.step >= from && !isCopied(event, from));
  }
}

/**
 * The step up to which two runs are one, as a fork and what it came from are; null where they never were.
 *
 * @param {Pick<ListedRun, "run_id" | "parent">} a
 * @param {Pick<ListedRun, "run_id" | "parent">} b
 */
export function sharedUntil(a, b) {
  if (b.parent?.run_id === a.run_id) return b.parent.step;
  if (a.parent?.run_id === b.run_id) return a.parent.step;
  if (a.parent && a.parent.run_id === b.parent?.run_id) return Math.min(a.parent.step, b.parent.step);
  return null;
}

/** Whether an event at the step of a fork is one of the run that it came from. @param {RunEvent} event @param {number} at */
const isCopied = (event, at) => event.step === at && event.kind === "phase";
