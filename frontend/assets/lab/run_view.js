// All that shows one run, in the elements inside one root: a page can hold two.

import { announce } from "./core/announcer.js";
import { Model } from "./core/model.js";
import { Parts } from "./core/parts.js";
import { recordedId, runInLink } from "./core/recorded.js";
import { request } from "./core/requests.js";
import { stats } from "./core/stats.js";
import { Stream } from "./core/stream.js";
import { Arrival } from "./arrival.js";
import { FilmAndTime } from "./charts/film_and_time.js";
import { Scrubber } from "./charts/scrubber.js";
import { Controls } from "./controls/controls.js";
import { Happened } from "./happened.js";
import { LessonCard } from "./lessons/card.js";
import { linkTo, placeOf } from "./link.js";
import { Pictures } from "./pictures/pictures.js";
import { Probe } from "./probe/probe.js";
import { showFacts } from "./shell/facts.js";
import { showHeadlines } from "./shell/headlines.js";
import { Notice } from "./shell/notice.js";
import { Rail } from "./shell/rail.js";
import { RunList } from "./shell/run_list.js";
import { Status } from "./shell/status.js";
import { Story } from "./shell/story.js";
import { Take } from "./take/take.js";
import { Comparison } from "./twin/comparison.js";
import { Inquiry } from "./why/inquiry.js";

/** @import { Frame } from "./core/frames.js" */
/** @import { Look } from "./lessons/told.js" */
/** @import { Asker, Hello } from "./core/messages.js" */
/** @import { Room } from "./room/room.js" */
/** @import { Run } from "./core/told.js" */

const CALM_MS = 1000; // between two pictures, where less motion is asked for

/**
 * What a view tells the page that holds it.
 *
 * @typedef {object} Page
 * @property {(changes: Record<string, string | null>) => void} addressed what a link to the view says
 * @property {(title: string) => void} titled
 * @property {(asker: Asker) => void} [asked] who looks at the page
 * @property {Pick<Room, "lesson" | "say">} [room] of a class
 */

/** @type {Page} */
const NOBODY = { addressed: () => {}, titled: () => {} };
const NO_ROOM = { lesson: () => null, say: () => {} };

export class RunView {
  model = new Model();
  #ended = new AbortController();
  /** What is done as soon as the run that is opened has said what it is. @type {(() => void) | null} */
  #whenKnown = null;
  #drawnAt = -CALM_MS;
  #lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  #page;
  #arrival;

  /**
   * @param {Element} root holds the elements, each named by its data-part
   * @param {Page} [page]
   */
  constructor(root, page = NOBODY) {
    const { model } = this;
    const parts = new Parts(root);
    this.root = root;
    this.#page = page;
    this.pictures = new Pictures(parts, model, (changes) => {
      page.addressed(this.comparison?.isOn ? { layer: changes.layer ?? null } : changes);
      this.charts?.invalidate();
      this.comparison?.repaint();
    });
    this.scrubber = new Scrubber(model, (frame) => this.#pin(frame));
    this.charts = new FilmAndTime(parts, model, this.scrubber, () => this.pictures.layer);
    this.status = new Status(parts, model, () => this.scrubber.pinned, page.titled);
    this.controls = new Controls(parts, model, (runId) => this.open(runId));
    const choose = (/** @type {string} */ runId) => {
      this.lesson.close(); // it asks about other runs
      this.open(runId);
    };
    this.runs = new RunList(parts, model, choose, this.#ended.signal);
    this.facts = parts.find("facts");
    this.take = new Take(parts.find("take"), model, {
      pictures: this.pictures,
      events: () => this.charts.events,
      chart: () => this.charts.chart.svg,
      chartTitle: () => this.charts.title,
      link: () =>
        linkTo(model, this.scrubber.pinned, this.charts.events, (name) => this.controls.newRun.configOf(name)),
    });
    this.story = new Story(parts, model);
    this.rail = new Rail(parts);
    this.happened = new Happened(parts, model, this);
    this.inquiry = new Inquiry(parts, model, this.pictures);
    this.comparison = new Comparison(parts, this, page.addressed);
    this.probe = new Probe(parts, model, this.pictures, () => this.comparison.guests[0]?.runId ?? null);
    showHeadlines(parts.find("headlines"));
    const lab = {
      move: (/** @type {Look} */ look, /** @type {number | null} */ step) => this.#look(look, step),
      startLive: () => this.controls.newRun.askRecorded(),
      addressed: (/** @type {string | null} */ lesson) => page.addressed({ lesson }),
    };
    this.lesson = new LessonCard(parts.find("lesson"), lab, page.room ?? NO_ROOM);
    this.notice = new Notice(parts.find("notice"), {
      startLive: () => this.controls.newRun.start("live", 0),
      open: (runId) => (runId === null ? this.openNewest() : this.open(runId)),
      watchOnly: () => model.watchOnly,
      again: (recipe, pauseAt) => this.controls.newRun.askRecipe(recipe, pauseAt),
    });
    this.stream = new Stream(
      {
        state: (state) => this.status.connection(state),
        hello: (hello) => {
          this.#hello(hello);
          this.#whenKnown?.();
          this.#whenKnown = null;
        },
        run: (run) => this.#run(run),
        event: (event) => {
          model.addEvent(event);
          this.charts.invalidate();
          this.tell();
        },
        reset: () => {
          this.scrubber.live();
          model.store.clear();
          model.frame = null;
          this.charts.clear();
        },
        scalars: (frame, isSnapshot) => {
          if (isSnapshot) model.store.clear();
          if (model.hello) model.store.append(model.hello.scalar_names, frame.scalars, isSnapshot);
          this.charts.invalidate();
          this.comparison.grown();
        },
        missing: (runId) => {
          model.forget();
          this.notice.deadLink(runId, null);
          this.#changed();
        },
        trouble: announce,
      },
      this.#ended.signal,
    );
    this.#arrival = new Arrival(this, this.#ended.signal);
    this.pictures.setUp();
    this.#changed();
    this.#askRole();
  }

  /** Who may only watch finds every control off, with the sentence that says why. */
  async #askRole() {
    const answer = await request("GET", "/api/role");
    if (!answer.ok || this.#ended.signal.aborted) return;
    this.#page.asked?.(answer.body);
    if (!answer.body.why_not) return;
    this.model.watchOnly = answer.body.why_not;
    this.controls.refresh();
    this.comparison.refresh();
  }

  /** End everything that goes on by itself; the elements stay as they are. */
  close() {
    this.#ended.abort();
    this.pictures.close();
    this.charts.close();
    this.comparison.close();
  }

  /**
   * Show a run from now on, beside others or by itself.
   *
   * @param {string} runId
   * @param {string[]} [beside]
   */
  open(runId, beside = []) {
    const wasCompared = this.comparison.isOn;
    this.comparison.clear();
    this.scrubber.live();
    this.#whenKnown = null;
    this.model.forget();
    this.charts.clear();
    this.#page.addressed({ ...runInLink(runId), with: beside.join(",") || null, step: null, recipe: null });
    if (wasCompared && !beside.length) this.#page.addressed({ lens: this.pictures.lensInLink });
    this.controls.toggleSheet(false);
    this.status.connection("open");
    this.stream.open(runId);
    if (beside.length) this.comparison.compareWith(beside);
  }

  /**
   * Look at the step of the run shown that a link names, as soon as it is known; null for the newest.
   *
   * @param {number | null} step
   */
  lookAt(step) {
    const go = () => (step === null ? this.scrubber.live() : this.scrubber.seekLinked(step));
    if (this.model.hello) go();
    else this.#whenKnown = go;
  }

  /** What stands behind # in a link to what is shown. */
  get place() {
    return placeOf(this.scrubber.pinned);
  }

  /** Stand where a lesson looks. @param {Look} look @param {number | null} step */
  #look({ run, beside, layer, lens, chart }, step) {
    const others = beside === null ? [] : [recordedId(beside)];
    const shown = [this.stream.runId, ...this.comparison.guests.map(({ runId }) => runId)];
    if (shown.join() !== [recordedId(run), ...others].join()) this.open(recordedId(run), others);
    const go = () => {
      this.pictures.setLayer(layer);
      if (others.length) this.comparison.setLens(lens);
      else this.pictures.setLens(lens);
      this.charts.choose(chart);
      if (step === null) this.scrubber.live();
      else this.scrubber.seekStep(step);
    };
    if (this.model.hello) go();
    else this.#whenKnown = go;
  }

  /** Show a run that a link names: see `Arrival`. @param {Parameters<Arrival["linked"]>} link */
  async openLinked(...link) {
    await this.#arrival.linked(...link);
  }

  /** Show the run that goes on, else the newest. */
  async openNewest() {
    await this.#arrival.newest();
  }

  /** Draw what is new. Called from the page's one drawing loop. @param {number} now */
  draw(now) {
    const stays_ms = this.#lessMotion.matches ? CALM_MS : this.comparison.stays_ms;
    const isCalm = now - this.#drawnAt < stays_ms;
    const frame = this.model.hello && !isCalm && this.stream.take();
    if (frame) {
      this.#drawnAt = now;
      this.model.frame = frame;
      const began_ms = performance.now();
      this.pictures.follow(frame);
      this.comparison.follow(frame);
      if (!this.scrubber.pinned && !this.comparison.isOn) this.pictures.show(frame);
      this.charts.follow(frame);
      this.stream.ack(frame);
      stats.drawn(frame, performance.now() - began_ms);
    }
    this.comparison.draw(now);
    this.charts.tick(now);
  }

  /** What is read, not watched: a few times a second. */
  refresh() {
    this.comparison.refresh();
    this.status.refresh();
    this.inquiry.refresh(!this.comparison.isOn);
    this.probe.refresh();
    const { pinned, missed } = this.scrubber;
    this.story.refresh(this.pictures.frame, this.pictures.layer, pinned && { missed }, this.comparison.story);
    this.tell();
  }

  /** The colours have changed. */
  repaint() {
    this.pictures.repaint();
    this.charts.repaint();
    this.comparison.repaint();
  }

  /** The next lens of the figure. */
  nextLens() {
    if (this.comparison.isOn) this.comparison.setLens(this.comparison.figure.next);
    else this.pictures.setLens(this.pictures.lens === "matrix" ? "threads" : "matrix");
  }

  /** For screen readers, once a second. */
  describe() {
    if (this.comparison.isOn) this.comparison.describe();
    else this.pictures.describe();
  }

  /** What is told of the moment shown: the log, the chips, and who is idle. A few times a second. */
  tell() {
    const { told, twinEvents, step } = this.comparison;
    this.happened.show({ layer: this.pictures.layer, told, twin: twinEvents && { events: twinEvents, step } });
  }

  /** @param {Hello} hello */
  #hello(hello) {
    const { model } = this;
    const isAnother = model.run?.run_id !== hello.run.run_id || model.run.epoch !== hello.run.epoch;
    if (isAnother) model.store.clear();
    model.setHello(hello);
    this.notice.hide();
    this.pictures.setUp();
    this.charts.setUp();
    showFacts(this.facts, model);
    this.#changed();
  }

  /** @param {Run} run */
  #run(run) {
    const before = JSON.stringify(this.model.run?.device);
    this.model.setRun(run);
    if (JSON.stringify(run.device) !== before) showFacts(this.facts, this.model);
    this.#changed();
  }

  #changed() {
    this.controls.refresh();
    this.refresh();
    this.runs.follow();
    this.root.classList.toggle("is-recorded-run", this.model.isRecorded);
    this.take.refresh();
  }

  /** Show a stored frame, or with null the live one again. @param {Frame | null} frame */
  #pin(frame) {
    const shown = frame || this.model.frame;
    if (shown && !this.comparison.isOn) this.pictures.show(shown);
    this.comparison.moved();
    this.charts.invalidate();
    this.controls.lookBack(frame);
    this.refresh();
  }
}
