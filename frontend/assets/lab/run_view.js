// All that shows one run, in the elements inside one root: a page can hold two.

import { announce } from "./core/announcer.js";
import { Model } from "./core/model.js";
import { Parts } from "./core/parts.js";
import { recipeInLink, recipeOf } from "./core/recipe.js";
import { recordedId, recordedName, runInLink } from "./core/recorded.js";
import { request, runPath } from "./core/requests.js";
import { statusOf } from "./core/settings.js";
import { stats } from "./core/stats.js";
import { Stream } from "./core/stream.js";
import { FilmAndTime } from "./charts/film_and_time.js";
import { Scrubber } from "./charts/scrubber.js";
import { Controls } from "./controls/controls.js";
import { Happened } from "./happened.js";
import { LessonCard } from "./lessons/card.js";
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
import { twinLensOf } from "./twin/twin_figure.js";
import { Inquiry } from "./why/inquiry.js";

/** @import { Frame } from "./core/frames.js" */
/** @import { Look } from "./lessons/told.js" */
/** @import { Hello } from "./core/messages.js" */
/** @import { Run } from "./core/told.js" */

const ASK_AGAIN_MS = 1000; // for a server that does not answer
const NEXT_LOOK_MS = 3000; // for the first run, while there is none
const CALM_MS = 1000; // between two pictures, where less motion is asked for

/**
 * What a view tells the page that holds it.
 *
 * @typedef {object} Page
 * @property {(changes: Record<string, string | null>) => void} addressed what a link to the view says
 * @property {(title: string) => void} titled
 */

/** @type {Page} */
const NOBODY = { addressed: () => {}, titled: () => {} };

export class RunView {
  model = new Model();
  #ended = new AbortController();
  #timer = 0;
  /** What is done as soon as the run that is opened has said what it is. @type {(() => void) | null} */
  #whenKnown = null;
  #drawnAt = -CALM_MS;
  #lessMotion = matchMedia("(prefers-reduced-motion: reduce)");
  #page;

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
    this.runs = new RunList(parts, model, (runId) => this.open(runId), this.#ended.signal);
    this.facts = parts.find("facts");
    this.take = new Take(parts.find("take"), model, {
      pictures: this.pictures,
      events: () => this.charts.events,
      chart: () => this.charts.chart.svg,
      chartTitle: () => this.charts.title,
      link: () => this.#link(),
    });
    this.story = new Story(parts, model);
    this.rail = new Rail(parts);
    this.happened = new Happened(parts, model, this);
    this.inquiry = new Inquiry(parts, model, this.pictures);
    this.comparison = new Comparison(parts, this, page.addressed);
    this.probe = new Probe(parts, model, this.pictures, () => this.comparison.guests[0]?.runId ?? null);
    showHeadlines(parts.find("headlines"));
    this.lesson = new LessonCard(parts.find("lesson"), {
      move: (look, step) => this.#look(look, step),
      startLive: () => this.controls.newRun.askRecorded(),
      addressed: (lesson) => page.addressed({ lesson }),
    });
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
    this.pictures.setUp();
    this.#changed();
    this.#askRole();
  }

  /** Who may only watch finds every control off, with the sentence that says why. */
  async #askRole() {
    const answer = await request("GET", "/api/role");
    if (!answer.ok || !answer.body.why_not || this.#ended.signal.aborted) return;
    this.model.watchOnly = answer.body.why_not;
    this.controls.refresh();
    this.comparison.refresh();
  }

  /** End everything that goes on by itself; the elements stay as they are. */
  close() {
    this.#ended.abort();
    clearTimeout(this.#timer);
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
   * Look at a step of the run shown as soon as it is known; null for the newest.
   *
   * @param {number | null} step
   */
  lookAt(step) {
    const go = () => (step === null ? this.scrubber.live() : this.scrubber.seekStep(step));
    if (this.model.hello) go();
    else this.#whenKnown = go;
  }

  /** A link to what is shown: run, layer and lens, the moment looked at, and the recipe for where the run is not. */
  #link() {
    const entries = new URLSearchParams(location.hash.slice(1));
    const { hello, isRecorded } = this.model;
    const { pinned } = this.scrubber;
    if (pinned) entries.set("step", String(pinned.step));
    const usual = hello && this.controls.newRun.configOf(hello.config.preset);
    const recipe = hello && !isRecorded ? recipeInLink(hello.config, usual ?? undefined, this.charts.events) : null;
    if (recipe) entries.set("recipe", recipe);
    return `${location.origin}${location.pathname}#${entries}`;
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
      this.lookAt(step);
    };
    if (this.model.hello) go();
    else this.#whenKnown = go;
  }

  /**
   * Show a run that a link names, if there is one, beside those that it is compared with.
   *
   * @param {string} runId
   * @param {string[]} [beside]
   * @param {string} [lens] of the comparison
   * @param {string} [recipe] of the run, for where it is not here
   * @param {number | null} [step] that the link looks at
   */
  async openLinked(runId, beside = [], lens, recipe, step = null) {
    const answer = await request("GET", runPath(runId));
    if (answer.status === 404 && recordedName(runId) !== null) {
      this.notice.noRecording(answer.reason);
      return;
    }
    if (answer.status === 404) {
      const runs = await request("GET", "/api/runs");
      /** @type {Run[]} */
      const known = runs.ok ? runs.body : [];
      const nearest = known.find((run) => beside.includes(run.run_id)) ?? known[0] ?? null;
      this.notice.deadLink(runId, nearest, recipeOf(recipe), step);
      return;
    }
    this.open(runId);
    if (!beside.length) return;
    await this.comparison.openLinked(beside);
    this.comparison.setLens(twinLensOf(lens));
  }

  /** Show the run that goes on, else the newest; while there is none, say so and look again. */
  async openNewest() {
    clearTimeout(this.#timer);
    const answer = await request("GET", "/api/runs");
    if (this.#ended.signal.aborted) return;
    if (!answer.ok) {
      this.notice.noServer(answer.reason);
      this.#timer = window.setTimeout(() => this.openNewest(), ASK_AGAIN_MS);
      return;
    }
    /** @type {Run[]} */
    const runs = answer.body;
    const newest = runs.find((run) => statusOf(run.status).active) || runs[0];
    if (newest) {
      this.open(newest.run_id);
      return;
    }
    this.refresh();
    this.notice.noRun();
    this.#timer = window.setTimeout(() => this.stream.runId || this.openNewest(), NEXT_LOOK_MS);
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
    this.story.refresh(this.pictures.frame, this.pictures.layer, this.scrubber.pinned !== null, this.comparison.story);
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
