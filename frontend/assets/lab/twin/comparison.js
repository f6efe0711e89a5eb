// A comparison: the page's run A, those beside it, and the one step that all of them show.

import { announce } from "../core/announcer.js";
import { architectureOf } from "../core/architectures.js";
import { Clashes } from "../core/clashes.js";
import { eventsIn } from "../core/lineage.js";
import { request, runPath } from "../core/requests.js";
import { letterOf } from "../charts/beside.js";
import { measuresOf, drawnOf, valueAt } from "../charts/measures.js";
import { layerOf } from "../pictures/panel.js";
import { countLinks } from "../core/story.js";
import { inWords } from "../core/events.js";
import { settings, statusOf } from "../core/settings.js";
import { count } from "../core/format.js";
import { valuesAt } from "../controls/forces.js";
import { sharedStep } from "./align.js";
import { Bands } from "./bands_of_runs.js";
import { MOST_RUNS, differencesOf, namesOf, nearestTo } from "./choice.js";
import { Chooser } from "./chooser.js";
import { Guest } from "./guest.js";
import { linesOfAll } from "./log.js";
import { Problem } from "./problem.js";
import { Reel } from "./reel.js";
import { Section } from "./section.js";
import { twinSentence, whatDiffers } from "./story.js";
import { TwinFigure } from "./twin_figure.js";
import { TwinValues } from "./twin_values.js";

/** @import { Compared, Place } from "../charts/beside.js" */
/** @import { Frame } from "../core/frames.js" */
/** @import { ListedRun } from "../core/messages.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Answer } from "../core/requests.js" */
/** @import { RunEvent } from "../core/told.js" */
/** @import { RunView } from "../run_view.js" */
/** @import { Shown, TwinLens } from "./side.js" */

const PLACES = /** @type {Place[]} */ (["a", "b", "c", "d"]);
const LOOK_MS = 5000; // for runs that a choice or a name is made of
const CALM_MS = 1000; // between two pictures, where less motion is asked for

export class Comparison {
  /** The runs beside A, B first. @type {Guest[]} */
  guests = [];
  /** Whether the next change of a force makes a twin. */
  isArmed = false;
  /** Whether a fork is being made. */
  #isForking = false;
  #wrong = "";
  /** Runs as the server lists them, newest first. @type {ListedRun[]} */
  #runs = [];
  #looked_ms = -LOOK_MS;
  /** Steps a second of A before its twin trained beside it. @type {number | null} */
  #alone = null;
  #isDirty = false;
  #drawnAt = -CALM_MS;
  /** A's frames, and its running means. */
  #reel = new Reel(() => (this.#isDirty = true));
  /** @type {Clashes[]} */
  #clashes = [];
  /** @type {Frame | null} */
  #frame = null;
  #lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  /** Events of all runs, and what they were made of. @type {{ of: RunEvent[][], events: RunEvent[] }} */
  #told = { of: [], events: [] };
  #view;
  #addressed;
  #root;

  /**
   * @param {Parts} parts
   * @param {RunView} view of run A
   * @param {(changes: Record<string, string | null>) => void} addressed what a link to the comparison says
   */
  constructor(parts, view, addressed) {
    this.#view = view;
    this.#addressed = addressed;
    this.#root = parts.root;
    this.figure = new TwinFigure(parts, {
      light: () => {
        this.#isDirty = true;
        this.#card();
      },
      lens: (lens) => this.setLens(lens),
    });
    this.section = new Section(parts.find("compare"), () => this.toggle());
    this.chooser = new Chooser(parts.find("compare-dialog", HTMLDialogElement), {
      fork: () => this.arm(),
      compare: (runIds) => this.compareWith(runIds),
    });
    this.problem = new Problem(parts.find("twin-problem"));
    this.values = new TwinValues(view.controls.forces.sliders);
    this.bands = new Bands(() => view.charts.invalidate());
    view.controls.forces.divert = (name, value) => this.#divert(name, value);
    view.charts.bandOf = (place, measure, layer) => this.bands.of(place, measure, layer);
    this.refresh();
  }

  /** Whether runs are shown beside the page's own. */
  get isOn() {
    return this.guests.length > 0;
  }

  close() {
    for (const guest of this.guests) guest.close();
    this.figure.close();
    this.bands.close();
  }

  // what begins and ends it

  /** The switch: ask what to compare with, or end it. */
  async toggle() {
    if (this.isArmed) this.#disarm("No twin is made.");
    else if (this.isOn) this.end();
    else await this.choose();
  }

  /** Ask what to compare with. */
  async choose() {
    this.#wrong = "";
    await this.#look(true);
    const own = this.#listed(this.#view.model.run?.run_id ?? "");
    if (!own) return;
    this.chooser.open(own, this.#runs, {
      compared: this.guests.map(({ runId }) => runId),
      whyNoFork: this.#whyNoFork(),
    });
  }

  #whyNoFork() {
    const { run, active } = this.#view.model;
    if (this.guests.length >= MOST_RUNS - 1) return `At most ${MOST_RUNS} runs are shown at once: leave one out first.`;
    if (!run || !active) {
      return "The run shown has ended, so no change can be made to it: start another run to fork it.";
    }
    if (run.status === "queued" || run.status === "starting") return "The run has not begun to train yet.";
    return "";
  }

  /** The next change makes a twin. */
  arm() {
    this.isArmed = true;
    this.#wrong = "";
    announce("The next change of a force makes a twin.");
    this.refresh();
  }

  /** @param {string} said */
  #disarm(said) {
    this.isArmed = false;
    announce(said);
    this.refresh();
  }

  /**
   * A change of a force, where it makes a twin.
   *
   * @param {string} name
   * @param {number} value
   * @returns {Promise<Answer> | null}
   */
  #divert(name, value) {
    return this.isArmed ? this.#fork(name, value) : null;
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
    this.#isForking = true;
    this.#alone = run.status === "running" ? run.steps_per_s : null;
    this.refresh();
    const answer = await request("POST", `${runPath(run.run_id)}/fork`, { controls: { [name]: value } });
    this.#isForking = false;
    if (!answer.ok) {
      this.isArmed = true; // the next try may succeed
      this.#wrong = inWords(answer.reason);
      this.refresh();
      return answer;
    }
    announce(`Run B is a twin of this run with ${settings.controls[name].label} ${value}.`);
    await this.#look(true);
    if (this.#view.stream.runId !== run.run_id) return answer; // another run is shown by now
    this.compareWith([answer.body.run_id, ...this.guests.map(({ runId }) => runId)]);
    const kept = { new: { [name]: run.controls.applied[name] }, applied_step: run.controls.applied_step[name] ?? 0 };
    return { ...answer, body: kept }; // this run's value stays
  }

  /** Show runs beside this one. @param {string[]} runIds B first */
  compareWith(runIds) {
    const wanted = [...new Set(runIds)].filter((runId) => runId !== this.#view.stream.runId).slice(0, MOST_RUNS - 1);
    const kept = this.guests.filter(({ runId }) => wanted.includes(runId));
    for (const guest of this.guests) if (!kept.includes(guest)) guest.close();
    const wasOn = this.isOn;
    this.guests = wanted.map(
      (runId) =>
        kept.find((guest) => guest.runId === runId) ??
        new Guest(runId, {
          changed: () => (this.#isDirty = true),
          missing: (gone) => this.#gone(gone),
        }),
    );
    this.isArmed = false;
    this.#addressed({ with: wanted.join(",") || null });
    if (!wanted.length && wasOn) this.#addressed({ lens: this.#view.pictures.lensInLink });
    this.#set();
  }

  /** Show one run alone, and leave the link as it is. */
  clear() {
    this.isArmed = false;
    if (!this.isOn) return;
    for (const guest of this.guests) guest.close();
    this.guests = [];
    this.#set();
  }

  /** The runs compared are others than before. */
  #set() {
    this.#root.classList.toggle("is-comparing", this.isOn);
    this.figure.host.hidden = !this.isOn;
    this.#view.pictures.focus.free();
    this.figure.focus.free();
    if (this.isOn) this.figure.repaint();
    else this.#leave();
    this.#isDirty = true;
    this.refresh();
  }

  /** Nothing is compared any more. */
  #leave() {
    this.#view.charts.beside = null;
    this.#view.charts.invalidate();
    this.#view.model.beside = "";
    this.values.show(null, null);
    this.#alone = null;
    const shown = this.#view.scrubber.pinned || this.#view.model.frame;
    if (shown) this.#view.pictures.show(shown);
    this.#view.pictures.repaint();
  }

  /** End the comparison; what trains goes on. */
  end() {
    if (!this.isOn) return;
    const { name, active } = this.#toldOf(this.guests[0]);
    this.compareWith([]);
    announce(`The comparison has ended.${active ? ` ${name} trains on.` : ""}`);
  }

  /** Take a run out of the comparison. @param {string} runId */
  #without(runId) {
    this.compareWith(this.guests.map((guest) => guest.runId).filter((each) => each !== runId));
  }

  /** The one of A and B that was forked from the other, as "a" or "b"; null where none was. */
  get #forked() {
    const [a, b] = [this.#view.model.run, this.guests[0]?.model.run];
    if (!a || !b) return null;
    if (b.parent?.run_id === a.run_id) return "b";
    return a.parent?.run_id === b.run_id ? "a" : null;
  }

  /** Take the change back: the fork is ended, the run that it came from is shown alone, as if it had never been. */
  async undo() {
    const forked = this.#forked;
    const [own, other] = [this.#view.stream.runId, this.guests[0]?.runId];
    if (!forked || !own || !other) return;
    const gone = forked === "b" ? other : own;
    const id = `undo-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("")}`;
    const isActive = (forked === "b" ? this.guests[0].model : this.#view.model).active;
    const answer = isActive
      ? await request("POST", `${runPath(gone)}/commands`, { command_id: id, type: "stop" })
      : { ok: true, reason: "" };
    if (!answer.ok) {
      this.#wrong = inWords(answer.reason);
      this.refresh();
      return;
    }
    if (forked === "a") this.#view.open(other);
    else this.#without(other);
    announce("The fork is undone: its run was stopped, the other never took the change.");
  }

  /** A and B change places. */
  swap() {
    const own = this.#view.stream.runId;
    if (!own || !this.isOn) return;
    const [first, ...rest] = this.guests.map(({ runId }) => runId);
    const { lens } = this.figure;
    this.#view.open(first, [own, ...rest]);
    this.figure.lens = lens;
    announce("A and B have changed places.");
  }

  /** A run beside was deleted while it was shown. @param {string} runId */
  #gone(runId) {
    this.#without(runId);
    this.problem.say(`The run “${runId.slice(0, 40)}” has been deleted while it was compared.`, []);
  }

  /**
   * Compare with runs that a link names; for one that is not there say so, with the nearest that is.
   *
   * @param {string[]} runIds
   */
  async openLinked(runIds) {
    this.problem.hide();
    await this.#look(true);
    const own = this.#view.stream.runId;
    const wanted = [...new Set(runIds)].filter((runId) => runId && runId !== own);
    const found = wanted.filter((runId) => this.#listed(runId));
    const missing = wanted.find((runId) => !this.#listed(runId));
    if (found.join() !== this.guests.map(({ runId }) => runId).join()) this.compareWith(found);
    if (missing !== undefined) this.#missing(missing, own ?? "");
    else if (runIds.includes(own ?? "") && !wanted.length) {
      this.problem.say(`The link compares the run “${own}” with itself: choose another under Compare.`, []);
    } else if (wanted.length > MOST_RUNS - 1) {
      this.problem.say(`The link names ${wanted.length + 1} runs: the first ${MOST_RUNS} are shown.`, []);
    }
  }

  /** @param {string} runId @param {string} own */
  #missing(runId, own) {
    const shown = this.#listed(own);
    const beside = this.guests.map((guest) => guest.runId);
    const nearest =
      shown &&
      nearestTo(
        shown,
        this.#runs.filter((run) => !beside.includes(run.run_id)),
      );
    const gone = `There is no run “${runId.slice(0, 40)}” to compare with`;
    if (!nearest || !shown) {
      this.problem.say(`${gone}, and no other: fork this one under Compare.`, []);
      return;
    }
    const apart = differencesOf(shown, nearest).map(({ text }) => text);
    const name = `“${nearest.name}”${apart.length ? ` (${apart.slice(0, 2).join(", ")})` : ""}`;
    const what = nearest.parent?.run_id === own ? "the nearest is the newest fork of this run" : "the nearest is";
    const act = () => this.compareWith([...this.guests.map((guest) => guest.runId), nearest.run_id]);
    this.problem.say(`${gone}; ${what}, ${name}.`.replace("is, ", "is "), [{ text: "Compare with it", act }]);
  }

  // what is known of the runs

  /** Ask for the runs, unless that was just done. @param {boolean} [now] */
  async #look(now = false) {
    if (!now && performance.now() - this.#looked_ms < LOOK_MS) return;
    this.#looked_ms = performance.now();
    const answer = await request("GET", "/api/runs");
    if (answer.ok) this.#runs = answer.body;
    this.#isDirty = true;
  }

  /** A run as it is listed, with what is known of it since. @param {string} runId @returns {ListedRun | null} */
  #listed(runId) {
    const found = this.#runs.find((run) => run.run_id === runId);
    if (!found) return null;
    const { model } = this.#view;
    const known = model.run?.run_id === runId ? model : this.guests.find((guest) => guest.runId === runId)?.model;
    return known?.run ? { ...found, ...known.run } : found;
  }

  /** A's listing and those of the runs beside it, as far as they are known. */
  get #all() {
    const ids = [this.#view.stream.runId ?? "", ...this.guests.map(({ runId }) => runId)];
    return ids.map((runId) => this.#listed(runId));
  }

  /** What the runs are called beside each other, A first. @returns {string[]} */
  get names() {
    const known = this.#all.flatMap((run) => (run ? [run] : []));
    const names = new Map(namesOf(known).map((name, i) => [known[i].run_id, name || known[i].name]));
    return this.#all.map((run, i) => (run && names.get(run.run_id)) || letterOf(PLACES[i]));
  }

  /** @param {Guest} guest */
  #toldOf(guest) {
    return { name: guest.model.run?.name ?? "The other run", active: guest.model.active };
  }

  /** A's newest step. */
  get #ownLast() {
    return Math.max(this.#view.charts.ownLast, this.#view.model.run?.step ?? 0);
  }

  /** How far each has come, A first. */
  get #reaches() {
    const { model } = this.#view;
    const own = { last: this.#ownLast, goesOn: model.run?.status === "running" };
    return [own, ...this.guests.map(({ last, goesOn }) => ({ last, goesOn }))];
  }

  // what is drawn

  /** Take a live frame of A. @param {Frame} frame */
  follow(frame) {
    if (frame.run !== this.#reel.newest?.run) {
      this.#reel.clear();
      this.#clashes = [];
    }
    this.#reel.add(frame);
    if (!this.isOn) return;
    this.#isDirty = true;
    frame.layers.forEach(({ conflict }, l) => {
      if (conflict) (this.#clashes[l] = this.#clashes[l] || new Clashes()).add(frame, conflict);
    });
  }

  /** Called from the page's drawing loop. @param {number} now */
  draw(now) {
    if (!this.isOn) return;
    for (const guest of this.guests) {
      const before = guest.model.frame;
      guest.follow();
      if (guest.model.frame !== before) this.#isDirty = true;
    }
    if (!this.#isDirty || (this.#lessMotion.matches && now - this.#drawnAt < CALM_MS)) return;
    this.#drawnAt = now;
    this.#show();
  }

  #show() {
    const view = this.#view;
    const { model, charts, scrubber, pictures } = view;
    const { run } = model;
    if (!run) return;
    this.#isDirty = false;
    const live = sharedStep(this.#reaches);
    const step = scrubber.step ?? live;
    const pinned = scrubber.pinned;
    this.#frame = pinned ?? this.#reel.at(run, Math.min(step, this.#ownLast)) ?? model.frame;
    for (const guest of this.guests) {
      const of = guest.model.run;
      guest.frame = of ? (guest.reel.at(of, Math.min(step, guest.last)) ?? guest.model.frame) : null;
    }
    pictures.frame = this.#frame;
    const { names } = this;
    const [b] = this.guests;
    this.figure.setUp(model, b.model);
    const shown = names.slice(0, 2).map((name, i) => this.#side(i === 0 ? null : b, name, step));
    this.figure.show(shown[0], shown[1], pictures.layer);
    charts.beside = { runs: this.#compared(names), step, live };
    charts.invalidate();
  }

  /**
   * What a side of the figure shows.
   *
   * @param {Guest | null} guest null for A
   * @param {string} name
   * @param {number} step
   * @returns {Shown}
   */
  #side(guest, name, step) {
    const view = this.#view;
    const model = guest ? guest.model : view.model;
    const frame = guest ? guest.frame : this.#frame;
    const reel = guest ? guest.reel : this.#reel;
    const isLive = frame !== null && frame === reel.newest;
    const forked = this.#forked;
    const isTwin = forked === (guest ? "b" : "a");
    const measure = measuresOf(model).find((each) => each.name === "accuracy");
    const lines = measure ? drawnOf(model, measure, view.pictures.layer) : [];
    const at = (/** @type {boolean} */ strong) => {
      const line = lines.find((each) => each.strong === strong);
      return line && valueAt(line, frame?.step ?? step);
    };
    return {
      name,
      role: guest ? (isTwin ? "the twin" : forked ? "the run it came from" : "") : "this run",
      state: this.#stateOf(model, guest ? guest.last : this.#ownLast, frame, step, guest?.isLost ?? false),
      hello: model.hello,
      frame,
      clashes: isLive ? ((guest ? guest.clashes : this.#clashes)[view.pictures.layer] ?? null) : null,
      accuracy: [at(true), at(false)],
      words: architectureOf(model),
    };
  }

  /**
   * Why a run is not at the step that is shown; empty where it is.
   *
   * @param {RunView["model"]} model
   * @param {number} last
   * @param {Frame | null} frame
   * @param {number} step
   * @param {boolean} isLost
   */
  #stateOf({ run, active }, last, frame, step, isLost) {
    if (!run) return "connecting…";
    if (isLost) return `connection lost, as of step ${count(last)}`;
    if (run.status === "queued" || run.status === "starting") return `${statusOf(run.status).words.toLowerCase()}…`;
    if (!active && step > last) return `${statusOf(run.status).words.toLowerCase()} at step ${count(last)}`;
    if (frame && Math.abs(frame.step - step) > 2 + 0.02 * step) return `at step ${count(frame.step)}`;
    return "";
  }

  /** What film, chart and tabs draw. @param {string[]} names @returns {Compared[]} */
  #compared(names) {
    const { model, charts } = this.#view;
    const own = {
      place: PLACES[0],
      name: names[0],
      model,
      moments: charts.moments,
      frame: this.#frame,
      events: charts.events,
      last: this.#ownLast,
    };
    const others = this.guests.map((guest, i) => ({
      place: PLACES[i + 1],
      name: names[i + 1],
      model: guest.model,
      moments: guest.moments,
      frame: guest.frame,
      events: this.#eventsOf(guest),
      last: guest.last,
    }));
    return [own, ...others];
  }

  /** Events of a run beside, without those that it shares with A as its fork. @param {Guest} guest */
  #eventsOf(guest) {
    const { run } = guest.model;
    const own = this.#view.model.run;
    const events = eventsIn(guest.model.events, guest.moments.lineage);
    const from = run && own ? sharedUntil(own, run) : null;
    return from === null ? events : events.filter((event) => event.step >= from && !isCopied(event, from));
  }

  /** The card tells of what is pointed at in A, as without a comparison. */
  #card() {
    const { model, pictures } = this.#view;
    const layer = this.#frame && layerOf(this.#frame, pictures.layer);
    const { target, pinned } = this.figure.focus;
    const context =
      layer && model.hello && this.#frame
        ? { hello: model.hello, step: this.#frame.step, clashes: this.#clashes[pictures.layer] ?? null, target }
        : null;
    pictures.card.show(context && layer ? { layer, context, sentence: this.figure.sentence } : null, pinned);
  }

  /** @param {TwinLens} lens */
  setLens(lens) {
    this.figure.lens = lens;
    this.#addressed({ lens: lens === "matrix" ? null : lens });
    this.#isDirty = true;
  }

  /** Layer, moment or colours changed. */
  repaint() {
    this.figure.repaint();
    this.#isDirty = true;
  }

  /** A moment is looked back at, or not any more. */
  moved() {
    this.#isDirty = true;
  }

  // what is told, a few times a second

  refresh() {
    const { model } = this.#view;
    if (this.isOn) this.#look();
    this.#view.model.beside = !this.isOn
      ? ""
      : this.guests.length === 1
        ? this.#forked
          ? ", with twin"
          : ", compared"
        : `, with ${this.guests.length} others`;
    this.section.show({
      isOn: this.isOn || this.isArmed || this.#isForking,
      canBegin: model.run !== null,
      below: this.#below(),
      note: this.#wrong || this.#note(),
      isWrong: this.#wrong !== "",
      further: this.guests.slice(1).map((guest, i) => ({
        letter: letterOf(PLACES[i + 2]),
        name: this.names[i + 2],
        remove: () => this.#without(guest.runId),
      })),
      actions: this.#actions(),
    });
    this.bands.follow([model, ...this.guests.map((guest) => guest.model)]);
    if (!this.isOn) return;
    const pinned = this.#view.scrubber.pinned;
    const b = this.guests[0].model;
    this.values.show(b, pinned && b.run ? valuesAt(b.run, b.events, { epoch: b.run.epoch, step: pinned.step }) : null);
  }

  #below() {
    if (this.#isForking) return "making the twin…";
    if (this.isArmed) return "the next change makes a twin";
    if (!this.isOn) return "set a twin beside this run";
    const [a, b] = this.#all;
    const name = this.names[1];
    if (this.#forked) return `with ${this.#forked === "b" ? "a twin" : "the run it came from"}, ${name}`;
    return `with ${name}${a && b && a.seed === b.seed && !name.includes("seed") ? ", same seed" : ""}`;
  }

  /** What waits, or what it costs that two train beside each other. */
  #note() {
    if (this.isArmed) return "This run stays as it is, as A; the twin, B, takes the change.";
    const [own, other] = [this.#view.model.run, this.guests[0]?.model.run];
    if (!own || !other) return "";
    if (other.status === "queued") return inWords(other.reason) || "B waits for a worker.";
    if (other.status === "failed") return inWords(other.reason);
    if (other.status === "starting") return `B starts from step ${count(other.step)}; A trains on meanwhile.`;
    if (own.status !== "running" || other.status !== "running") return "";
    const speeds = [own, other].map(({ steps_per_s: rate }) => (rate ? String(Math.round(rate)) : "–"));
    const alone = this.#alone ? `; alone A made ${Math.round(this.#alone)}` : "";
    return `Both train: A ${speeds[0]}, B ${speeds[1]} steps/s${alone}.`;
  }

  #actions() {
    if (this.isArmed) {
      return [{ name: "cancel", text: "Cancel", act: () => this.#disarm("No twin is made.") }];
    }
    if (!this.isOn) return [];
    const undo = {
      name: "undo",
      text: "Undo the fork",
      title: "Ends the run that took the change; the other never had it",
      act: () => this.undo(),
    };
    return [
      ...(this.#forked ? [undo] : []),
      { name: "swap", text: "Swap A and B", act: () => this.swap() },
      ...(this.guests.length < MOST_RUNS - 1 ? [{ name: "add", text: "Add a run", act: () => this.choose() }] : []),
    ];
  }

  /** The sentence over the pictures and the one below; null where one run is shown. @returns {[string, string] | null} */
  get story() {
    const [a, b] = this.#all;
    const frames = [this.#frame, this.guests[0]?.frame];
    if (!this.isOn || !a || !b) return null;
    const { layer } = this.#view.pictures;
    const { names } = this;
    const counts = frames.map((frame) => {
      const connection = frame && layerOf(frame, layer)?.connection;
      return connection ? countLinks(connection) : null;
    });
    const differs = differencesOf(a, b).map(({ name }) => settings.controls[name]?.label ?? name.replaceAll("_", " "));
    const below = whatDiffers({ differs, forkedAt: sharedUntil(a, b), sameSeed: a.seed === b.seed });
    const [own, other] = counts;
    if (!own || !other) return [`${names[0]} beside ${names[1]}.`, below];
    return [twinSentence({ name: names[0], counts: own }, { name: names[1], counts: other }), below];
  }

  /** Events of all runs, for the log; null where one run is shown. */
  get told() {
    if (!this.isOn) return null;
    const of = [this.#view.charts.events, ...this.guests.map((guest) => this.#eventsOf(guest))];
    const key = [this.#view.model.events, ...this.guests.map((guest) => guest.model.events)];
    if (key.some((events, i) => events !== this.#told.of[i]) || key.length !== this.#told.of.length) {
      this.#told = { of: key, events: of.flat() };
    }
    const epoch = this.#view.model.run?.epoch ?? 0;
    return {
      events: this.#told.events,
      /** @param {RunEvent[]} _ @param {number} layer */
      toLines: (_, layer) => linesOfAll(of, layer, epoch),
    };
  }

  /** Events of B, for the chips; null where one run is shown. */
  get twinEvents() {
    return this.isOn ? eventsIn(this.guests[0].model.events, this.guests[0].moments.lineage) : null;
  }

  /** The step that all show. */
  get step() {
    return this.#view.charts.beside?.step ?? 0;
  }

  describe() {
    if (this.isOn) this.figure.describe();
  }
}

/**
 * The step up to which two runs are one, as a fork and what it came from are; null where they never were.
 *
 * @param {Pick<ListedRun, "run_id" | "parent">} a
 * @param {Pick<ListedRun, "run_id" | "parent">} b
 */
function sharedUntil(a, b) {
  if (b.parent?.run_id === a.run_id) return b.parent.step;
  if (a.parent?.run_id === b.run_id) return a.parent.step;
  if (a.parent && a.parent.run_id === b.parent?.run_id) return Math.min(a.parent.step, b.parent.step);
  return null;
}

/** Whether an event at the step of a fork is one of the run that it came from. @param {RunEvent} event @param {number} at */
const isCopied = (event, at) => event.step === at && event.kind === "phase";
