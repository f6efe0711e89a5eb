// A run beside the one that the page shows: what it sends, as it comes. It is drawn by what holds it.

import { Clashes } from "../core/clashes.js";
import { Commands } from "../core/commands.js";
import { lineageOf } from "../core/lineage.js";
import { Model } from "../core/model.js";
import { reached, runPath } from "../core/requests.js";
import { Stream } from "../core/stream.js";
import { FilmMoments } from "../charts/film_moments.js";
import { Reel } from "./reel.js";

/** @import { Frame } from "../core/frames.js" */

export class Guest {
  model = new Model();
  commands = new Commands(this.model);
  moments = new FilmMoments();
  /** Running means of conflict, one a layer. @type {Clashes[]} */
  clashes = [];
  /** The frame that is shown. @type {Frame | null} */
  frame = null;
  /** Since when there is no connection. */
  isLost = false;
  #ended = new AbortController();
  /** The run and epoch whose film was asked for. */
  #life = "";

  /**
   * @param {string} runId
   * @param {{ changed: () => void, missing: (runId: string) => void }} on
   */
  constructor(runId, on) {
    this.runId = runId;
    this.reel = new Reel(on.changed);
    const { model } = this;
    this.stream = new Stream(
      {
        state: (state) => (this.isLost = state === "lost"),
        hello: (hello) => {
          const isAnother = model.run?.epoch !== hello.run.epoch;
          if (isAnother) model.store.clear();
          model.setHello(hello);
          this.#fetchFilm();
          on.changed();
        },
        run: (run) => {
          model.setRun(run);
          on.changed();
        },
        event: (event) => {
          model.addEvent(event);
          on.changed();
        },
        reset: () => {
          model.store.clear();
          model.frame = null;
          this.reel.clear();
          this.clashes = [];
        },
        scalars: (frame, isSnapshot) => {
          if (isSnapshot) model.store.clear();
          if (model.hello) model.store.append(model.hello.scalar_names, frame.scalars, isSnapshot);
        },
        missing: on.missing,
        trouble: () => {},
      },
      this.#ended.signal,
    );
    this.stream.open(runId);
  }

  close() {
    this.#ended.abort();
  }

  /** Take the newest frame, if there is one. */
  follow() {
    const frame = this.model.hello && this.stream.take();
    if (!frame) return;
    this.model.frame = frame;
    this.reel.add(frame);
    frame.layers.forEach(({ conflict }, l) => {
      if (conflict) (this.clashes[l] = this.clashes[l] || new Clashes()).add(frame, conflict);
    });
    if (frame.epoch === this.model.run?.epoch) this.moments.follow(frame);
    this.stream.ack(frame);
  }

  /** The newest step. */
  get last() {
    return Math.max(0, this.model.store.lastStep, this.moments.newest?.step ?? 0, this.model.run?.step ?? 0);
  }

  /** Whether it trains now. */
  get goesOn() {
    return this.model.run?.status === "running" && !this.isLost;
  }

  async #fetchFilm() {
    const { run } = this.model;
    if (!run || this.#life === `${run.epoch}`) return;
    this.#life = `${run.epoch}`;
    this.moments.clear(run.epoch);
    this.model.lineage = lineageOf(null, run.epoch);
    const answer = await reached(`${runPath(this.runId)}/film?epoch=${Math.max(0, run.epoch)}`);
    if (!answer?.ok || answer.status === 204 || this.#life !== `${run.epoch}`) return;
    this.moments.take(await answer.arrayBuffer());
    this.model.lineage = this.moments.lineage;
  }
}
