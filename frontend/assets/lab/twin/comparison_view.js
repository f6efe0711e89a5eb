// What a comparison draws: the frame of each run at the step that all show, in the figure, the film and the chart.

import { architectureOf } from "../core/architectures.js";
import { Clashes } from "../core/clashes.js";
import { count } from "../core/format.js";
import { statusOf } from "../core/settings.js";
import { PLACES } from "../charts/beside.js";
import { measuresOf, drawnOf, valueAt } from "../charts/measures.js";
import { layerOf } from "../pictures/panel.js";
import { sharedStep } from "./align.js";
import { Reel } from "./reel.js";
import { TwinFigure } from "./twin_figure.js";

/** @import { Compared } from "../charts/beside.js" */
/** @import { Frame } from "../core/frames.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { RunView } from "../run_view.js" */
/** @import { ComparedRuns } from "./compared_runs.js" */
/** @import { Guest } from "./guest.js" */
/** @import { Shown, TwinLens } from "./side.js" */

const CALM_MS = 1000; // between two pictures, where less motion is asked for
const BOTH_MS = 200; // between two pictures while several runs train, which share the cores with this page

export class ComparisonView {
  /** A's frame that is shown. @type {Frame | null} */
  frame = null;
  #isDirty = false;
  /** Whether a person is waiting for the next picture. */
  #isAsked = false;
  #drawnAt = -CALM_MS;
  /** A's frames, and its running means. */
  #reel = new Reel(() => this.invalidate());
  /** @type {Clashes[]} */
  #clashes = [];
  #lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  #view;
  #compared;

  /**
   * @param {Parts} parts
   * @param {RunView} view of run A
   * @param {ComparedRuns} compared
   * @param {(lens: TwinLens) => void} onLens
   */
  constructor(parts, view, compared, onLens) {
    this.#view = view;
    this.#compared = compared;
    this.figure = new TwinFigure(parts, {
      light: () => {
        this.ask();
        this.#card();
      },
      lens: onLens,
    });
  }

  close() {
    this.figure.close();
  }

  /** What is shown is not what there is to show. */
  invalidate() {
    this.#isDirty = true;
  }

  /** A person has asked for another picture, which comes at once. */
  ask() {
    this.#isDirty = true;
    this.#isAsked = true;
  }

  /** Layer or colours changed. */
  repaint() {
    this.figure.repaint();
    this.ask();
  }

  /** How long a picture stays at least, in ms: the cores belong to what trains. */
  get stays_ms() {
    if (!this.#compared.guests.length) return 0;
    if (this.#lessMotion.matches) return CALM_MS;
    return this.#compared.reaches.filter(({ goesOn }) => goesOn).length > 1 ? BOTH_MS : 0;
  }

  /** The runs compared are others than before, or there are none any more. */
  set() {
    const { guests } = this.#compared;
    this.figure.host.hidden = !guests.length;
    this.#view.pictures.focus.free();
    this.figure.focus.free();
    if (guests.length) this.figure.repaint();
    else this.#leave();
    this.ask();
  }

  /** Nothing is compared any more. */
  #leave() {
    const { charts, model, pictures, scrubber } = this.#view;
    charts.beside = null;
    charts.invalidate();
    model.beside = "";
    const shown = scrubber.pinned || model.frame;
    if (shown) pictures.show(shown);
    pictures.repaint();
  }

  /** Take a live frame of A. @param {Frame} frame */
  follow(frame) {
    if (frame.run !== this.#reel.newest?.run) {
      this.#reel.clear();
      this.#clashes = [];
    }
    this.#reel.add(frame);
    if (!this.#compared.guests.length) return;
    this.invalidate();
    frame.layers.forEach(({ conflict }, l) => {
      if (conflict) (this.#clashes[l] = this.#clashes[l] || new Clashes()).add(frame, conflict);
    });
  }

  /** Take what has come of the others and draw what is new. @param {number} now */
  draw(now) {
    const isDue = now - this.#drawnAt >= this.stays_ms;
    for (const guest of isDue ? this.#compared.guests : []) {
      const before = guest.model.frame;
      guest.follow();
      if (guest.model.frame !== before) this.invalidate();
    }
    if (!this.#isDirty || !(isDue || this.#isAsked)) return;
    if (isDue) this.#drawnAt = now;
    this.#isAsked = false;
    this.#show();
  }

  #show() {
    const { model, charts, scrubber, pictures } = this.#view;
    const { guests, names, ownLast, reaches } = this.#compared;
    const { run } = model;
    if (!run) return;
    this.#isDirty = false;
    const live = sharedStep(reaches);
    const step = scrubber.step ?? live;
    this.frame = scrubber.pinned ?? this.#reel.at(run, Math.min(step, ownLast)) ?? model.frame;
    for (const guest of guests) {
      const of = guest.model.run;
      guest.frame = of ? (guest.reel.at(of, Math.min(step, guest.last)) ?? guest.model.frame) : null;
    }
    pictures.frame = this.frame;
    const [b] = guests;
    this.figure.setUp(model, b.model);
    const shown = names.slice(0, 2).map((name, i) => this.#side(i === 0 ? null : b, name, step));
    this.figure.show(shown[0], shown[1], pictures.layer);
    charts.beside = { runs: this.#rows(names), step, live };
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
    const { layer } = view.pictures;
    const { model, reel, clashes, frame, last } = guest ?? {
      model: view.model,
      reel: this.#reel,
      clashes: this.#clashes,
      frame: this.frame,
      last: this.#compared.ownLast,
    };
    const isLive = frame !== null && frame === reel.newest;
    const { forked } = this.#compared;
    const isTwin = forked === (guest ? "b" : "a");
    const measure = measuresOf(model).find((each) => each.name === "accuracy");
    const lines = measure ? drawnOf(model, measure, layer) : [];
    const at = (/** @type {boolean} */ strong) => {
      const line = lines.find((each) => each.strong === strong);
      return line && valueAt(line, frame?.step ?? step);
    };
    return {
      name,
      role: guest ? (isTwin ? "the twin" : forked ? "the run it came from" : "") : "this run",
      state: stateOf(model, { last, frame, step, isLost: guest?.isLost ?? false }),
      hello: model.hello,
      frame,
      clashes: isLive ? (clashes[layer] ?? null) : null,
      accuracy: [at(true), at(false)],
      words: architectureOf(model),
    };
  }

  /** What film, chart and tabs draw. @param {string[]} names @returns {Compared[]} */
  #rows(names) {
    const { model, charts } = this.#view;
    const own = {
      place: PLACES[0],
      name: names[0],
      model,
      moments: charts.moments,
      frame: this.frame,
      events: charts.events,
      last: this.#compared.ownLast,
    };
    const others = this.#compared.guests.map((guest, i) => ({
      place: PLACES[i + 1],
      name: names[i + 1],
      model: guest.model,
      moments: guest.moments,
      frame: guest.frame,
      events: this.#compared.eventsOf(guest),
      last: guest.last,
    }));
    return [own, ...others];
  }

  /** The card tells of what is pointed at in A, as without a comparison. */
  #card() {
    const { model, pictures } = this.#view;
    const layer = this.frame && layerOf(this.frame, pictures.layer);
    const { target, pinned } = this.figure.focus;
    const context =
      layer && model.hello && this.frame
        ? { hello: model.hello, step: this.frame.step, clashes: this.#clashes[pictures.layer] ?? null, target }
        : null;
    pictures.card.show(context && layer ? { layer, context, sentence: this.figure.sentence } : null, pinned);
  }
}

/**
 * Why a run is not at the step that is shown; empty where it is.
 *
 * @param {RunView["model"]} model
 * @param {{ last: number, frame: Frame | null, step: number, isLost: boolean }} at
 */
function stateOf({ run, active }, { last, frame, step, isLost }) {
  if (!run) return "connecting…";
  if (isLost) return `connection lost, as of step ${count(last)}`;
  if (run.status === "queued" || run.status === "starting") return `${statusOf(run.status).words.toLowerCase()}…`;
  if (!active && step > last) return `${statusOf(run.status).words.toLowerCase()} at step ${count(last)}`;
  if (frame && Math.abs(frame.step - step) > 2 + 0.02 * step) return `at step ${count(frame.step)}`;
  return "";
}
