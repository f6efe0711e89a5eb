// Film and time: the film that is the scrubber, the chart on the same axis, and what chooses its measure.

import { element } from "../core/element.js";
import { eventsIn } from "../core/lineage.js";
import { picturesTo } from "../core/log_steps.js";
import { reached, runPath } from "../core/requests.js";
import { Axis } from "./axis.js";
import { briefly } from "./beside.js";
import { Chart } from "./chart.js";
import { chartRuns, legendOf, marksOfAll } from "./chart_runs.js";
import { Film, LARGEST } from "./film.js";
import { FilmBar } from "./film_bar.js";
import { FilmMoments } from "./film_moments.js";
import { marksOf } from "./marks.js";
import { drawnOf, measuresOf, toldOf } from "./measures.js";
import { Tabs } from "./tabs.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { RunEvent } from "../core/told.js" */
/** @import { Band, Beside, Place } from "./beside.js" */
/** @import { Scrubber } from "./scrubber.js" */

const TICK_MS = 200;
const BESIDE_TICK_MS = 400; // runs beside each other share the cores with this page
const WIDE = { left: 52, right: 112 };
const NARROW = { left: 36, right: 92 };
const NARROW_BELOW = 520; // px
const PHONE_PITCH = 52; // px of a picture where the film scrolls

export class FilmAndTime {
  redraws = 0;
  /** What is compared with the run; null where it is alone. @type {Beside | null} */
  beside = null;
  /**
   * The band of several seeds of a run's settings, where there are.
   *
   * @type {(place: Place, measure: string, layer: number) => Band | null}
   */
  bandOf = () => null;
  #measure = "cut";
  #isDirty = true;
  #lastTick = -TICK_MS;
  /** Grows with every film asked for, so that an older answer is not taken. */
  #asked = 0;
  #moments = new FilmMoments();
  #sized = new ResizeObserver(() => this.invalidate());
  /** While the film is dragged its axis rests. @type {number | null} */
  #heldLast = null;
  /** The run and epoch whose film is shown. */
  #life = "";
  #model;
  #scrubber;
  #layer;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Scrubber} scrubber
   * @param {() => number} layer the one shown
   */
  constructor(parts, model, scrubber, layer) {
    this.#model = model;
    this.#scrubber = scrubber;
    this.#layer = layer;
    const play = () => this.#play();
    const seek = (/** @type {number} */ step) => this.#seek(step);
    this.film = new Film("scrub", { seek, live: () => scrubber.live(), play, at: () => this.#sought });
    this.chart = new Chart((step) => this.#seek(step));
    this.tabs = new Tabs((name) => {
      this.#measure = name;
      this.#draw();
    });
    this.bar = new FilmBar(scrubber, { play, neighbour: (direction) => this.#neighbour(direction) });
    this.told = element("p", { className: "chart-told" });
    const host = parts.find("film");
    host.querySelector(".panel-head")?.append(...this.bar.elements);
    this.time = element(
      "div",
      { className: "time-part" }, // a card of its own on a phone
      element("h2", { className: "time-title", textContent: "Time" }),
      this.tabs.element,
      this.chart.element,
      this.told,
    );
    host.append(element("div", { className: "film-body" }, this.film.element, this.time));
    this.tabs.setUp(measuresOf(model));
    this.#sized.observe(this.chart.element);
  }

  close() {
    this.#sized.disconnect();
  }

  /** What the chart draws, in words. */
  get title() {
    return measuresOf(this.#model).find(({ name }) => name === this.#measure)?.title ?? "Chart";
  }

  /** Another run, or another epoch of it: what is drawn is of it alone from now on. */
  setUp() {
    const { run } = this.#model;
    const life = run ? `${run.run_id} ${run.epoch}` : "";
    if (life !== this.#life) this.clear();
    this.#life = life;
    const measures = measuresOf(this.#model);
    if (measures.length && !measures.some(({ name }) => name === this.#measure)) this.#measure = measures[0].name;
    this.tabs.setUp(measures);
    this.invalidate();
    if (run) this.#fetch(run.run_id, run.epoch);
  }

  /** Draw a measure by its name, where the model has it. @param {string} name */
  choose(name) {
    this.#measure = name;
    this.invalidate();
  }

  /** Nothing is known of the run any more. */
  clear() {
    this.#asked += 1;
    this.#life = "";
    this.#moments.clear(this.#model.run?.epoch ?? 0);
    this.#model.lineage = this.#moments.lineage;
    this.invalidate();
  }

  /** @param {string} runId @param {number} epoch */
  async #fetch(runId, epoch) {
    const asked = (this.#asked += 1);
    const answer = await reached(`${runPath(runId)}/film?epoch=${epoch}`);
    if (!answer?.ok || answer.status === 204) return; // 204: nothing of the epoch is stored yet
    const message = await answer.arrayBuffer();
    if (asked !== this.#asked) return;
    this.#moments.take(message);
    this.#model.lineage = this.#moments.lineage;
    this.invalidate();
  }

  /** @param {Frame} frame the newest */
  follow(frame) {
    if (frame.epoch === this.#model.run?.epoch) this.#moments.follow(frame);
    this.invalidate();
  }

  invalidate() {
    this.#isDirty = true;
  }

  /** The colours have changed. */
  repaint() {
    this.film.repaint();
    this.invalidate();
  }

  /** Events of the run shown, those of the epochs that it goes on from among them, oldest first. @returns {RunEvent[]} */
  get events() {
    return eventsIn(this.#model.events, this.#moments.lineage);
  }

  /** The newest step of the run. */
  get ownLast() {
    return Math.max(0, this.#model.store.lastStep, this.#moments.newest?.step ?? 0);
  }

  /** The newest step, of the runs beside it too. */
  get last() {
    return Math.max(this.ownLast, ...(this.beside?.runs ?? []).map((run) => run.last));
  }

  /** The pictures of the film that are known. */
  get moments() {
    return this.#moments;
  }

  /** The step looked back at, of the run shown; null for live, and for a moment of another epoch. */
  get step() {
    const { pinned, step } = this.#scrubber;
    return pinned && !this.#model.isOfRun(pinned) ? null : step;
  }

  /** The step that arrow keys go on from: that asked for, which the frame shown may only be the nearest to. */
  get #sought() {
    return this.step === null ? null : this.#scrubber.asked;
  }

  /** @param {number} step */
  #seek(step) {
    this.#scrubber.stop();
    if (step >= this.last && (this.beside?.live ?? step) >= this.last) this.#scrubber.live();
    else this.#scrubber.seekStep(step);
    this.#draw();
  }

  /** @param {1 | -1} direction */
  #neighbour(direction) {
    this.#seek(this.#axis().neighbour(this.#sought ?? this.last, direction));
  }

  #play() {
    this.#scrubber.playOrStop(performance.now());
    this.invalidate();
  }

  #axis() {
    const { width } = this.chart.element.getBoundingClientRect();
    const { left, right } = width < NARROW_BELOW ? NARROW : WIDE;
    this.#heldLast = this.film.isHeld ? (this.#heldLast ?? this.last) : null;
    const room = LARGEST / 2 + 4;
    return new Axis(this.#heldLast ?? this.last, left + room, Math.max(left + room + 1, width - right - room));
  }

  /** On a phone the film is as long as it needs to be, and scrolls. @param {Axis} axis */
  #filmAxis(axis) {
    const { width } = this.chart.element.getBoundingClientRect();
    const isNarrow = width < NARROW_BELOW;
    this.film.element.classList.toggle("is-scrolling", isNarrow);
    if (!isNarrow) {
      this.film.track.style.width = "";
      return axis;
    }
    const room = LARGEST / 2 + 8;
    const right = Math.max(width - room, room + PHONE_PITCH * picturesTo(axis.last));
    this.film.track.style.width = `${right + room}px`;
    return new Axis(axis.last, room, right);
  }

  /** Called from the page's drawing loop. @param {number} now */
  tick(now) {
    this.#scrubber.tick(now, this.last);
    if (!this.#isDirty || now - this.#lastTick < (this.beside ? BESIDE_TICK_MS : TICK_MS)) return;
    this.#lastTick = now;
    this.#draw();
  }

  #draw() {
    this.#isDirty = false;
    const model = this.#model;
    const { hello } = model;
    const { last, beside } = this;
    const step = beside ? (beside.step < last ? beside.step : null) : this.step;
    const axis = this.#axis();
    const layer = Math.min(this.#layer(), Math.max(0, model.layers - 1));
    const marks = beside ? marksOfAll(beside.runs, layer, last) : marksOf(this.events, layer);
    const isSeen = step !== null && this.#scrubber.pinned !== null;
    const alone = {
      place: "a",
      label: "",
      model,
      moments: this.#moments,
      frame: isSeen ? this.#scrubber.pinned : null,
    };
    const rows = beside ? beside.runs.map((run) => ({ ...run, label: briefly(run) })) : [alone];
    const filmAxis = this.#filmAxis(axis);
    this.film.element.hidden = false;
    this.film.show({
      axis: filmAxis,
      rows: rows
        .filter((row) => row.model.hasTopology)
        .map(({ place, label, moments, frame, model: of }) => ({
          place,
          label,
          moments,
          pinned: frame,
          shape: { rows: of.hello?.experts ?? 0, cols: of.hello?.partitions ?? 0 },
        })),
      layer,
      step,
      changes: marks.filter(({ by }) => by === "person"),
    });
    if (step === null) this.film.element.scrollLeft = this.film.element.scrollWidth;
    this.bar.show({ run: model.run, step: this.step, last, hasOthers: beside !== null });
    if (!hello) {
      this.chart.svg.replaceChildren();
      this.chart.labels.replaceChildren();
      return;
    }
    const others = beside ? beside.runs.slice(1) : [];
    const shown = measuresOf(model).map((measure) => ({
      measure,
      told: toldOf(model, measure),
      lines: drawnOf(model, measure, layer),
      others: others.map((run) => ({ place: run.place, lines: drawnOf(run.model, measure, layer) })),
    }));
    const chosen = shown.find(({ measure }) => measure.name === this.#measure) ?? shown[0];
    if (!chosen) return;
    const gutter = axis.left - LARGEST / 2 - 4;
    const band = (/** @type {Place} */ place) => this.bandOf(place, chosen.measure.name, layer);
    const runs = chartRuns(chosen, beside, band);
    this.chart.show({ axis, measure: chosen.measure, hello, runs, marks, step, gutter });
    const told = legendOf(chosen.told, runs, beside);
    if (this.told.textContent !== told) this.told.textContent = told;
    this.tabs.show(shown, chosen.measure.name, hello, last, step);
    this.redraws += 1;
  }
}
