// A comparison of the page's run A with others: what begins and ends it. What is drawn and told of it lies beside.

import { announce } from "../core/announcer.js";
import { valuesAt } from "../controls/forces.js";
import { Bands } from "./bands_of_runs.js";
import { MOST_RUNS } from "./choice.js";
import { Chooser } from "./chooser.js";
import { ComparedRuns } from "./compared_runs.js";
import { Forking } from "./forking.js";
import { fromLink } from "./from_link.js";
import { Problem } from "./problem.js";
import { Section } from "./section.js";
import { ComparisonView } from "./comparison_view.js";
import { ComparisonText } from "./comparison_text.js";
import { TwinValues } from "./twin_values.js";

/** @import { Frame } from "../core/frames.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { RunView } from "../run_view.js" */
/** @import { TwinLens } from "./side.js" */

export class Comparison {
  #view;
  #addressed;
  #root;
  #compared;
  #forking;
  #drawn;
  #text;

  /**
   * @param {Parts} parts
   * @param {RunView} view of run A
   * @param {(changes: Record<string, string | null>) => void} addressed what a link to the comparison says
   */
  constructor(parts, view, addressed) {
    this.#view = view;
    this.#addressed = addressed;
    this.#root = parts.root;
    const compareWith = (/** @type {string[]} */ runIds) => this.compareWith(runIds);
    const without = (/** @type {string} */ runId) => this.#without(runId);
    this.#compared = new ComparedRuns(view, {
      changed: () => this.#drawn.invalidate(),
      missing: (runId) => this.#gone(runId),
    });
    this.#drawn = new ComparisonView(parts, view, this.#compared, (lens) => this.setLens(lens));
    this.#forking = new Forking(view, this.#compared, { changed: () => this.refresh(), compareWith, without });
    this.#text = new ComparisonText(
      view,
      { compared: this.#compared, forking: this.#forking, drawn: this.#drawn },
      { swap: () => this.swap(), choose: () => this.choose(), without },
    );
    this.section = new Section(parts.find("compare"), () => this.toggle());
    this.chooser = new Chooser(parts.find("compare-dialog", HTMLDialogElement), {
      fork: () => this.#forking.arm(),
      compare: compareWith,
    });
    this.problem = new Problem(parts.find("twin-problem"));
    this.values = new TwinValues(view.controls.forces.sliders);
    view.controls.transport.beside = () => this.guests;
    this.bands = new Bands(() => view.charts.invalidate());
    view.charts.bandOf = (place, measure, layer) => this.bands.of(place, measure, layer);
    this.refresh();
  }

  /** The runs beside A, B first. */
  get guests() {
    return this.#compared.guests;
  }

  /** Whether runs are shown beside the page's own. */
  get isOn() {
    return this.guests.length > 0;
  }

  get figure() {
    return this.#drawn.figure;
  }

  close() {
    this.#compared.close();
    this.#drawn.close();
    this.bands.close();
  }

  // what begins and ends it

  /** The switch: ask what to compare with, or end it. */
  async toggle() {
    if (this.#forking.isArmed) this.#forking.disarm();
    else if (this.isOn) this.end();
    else await this.choose();
  }

  /** Ask what to compare with. */
  async choose() {
    this.#forking.wrong = "";
    await this.#compared.look(true);
    const own = this.#compared.listed(this.#view.model.run?.run_id ?? "");
    if (!own) return;
    const { ids, runs } = this.#compared;
    this.chooser.open(own, runs, { compared: ids, whyNoFork: this.#forking.whyNot });
  }

  /** Show runs beside this one. @param {string[]} runIds B first */
  compareWith(runIds) {
    const wanted = [...new Set(runIds)].filter((runId) => runId !== this.#view.stream.runId).slice(0, MOST_RUNS - 1);
    const wasOn = this.isOn;
    this.#compared.set(wanted);
    this.#forking.isArmed = false;
    this.#addressed({ with: wanted.join(",") || null });
    if (!wanted.length && wasOn) this.#addressed({ lens: this.#view.pictures.lensInLink });
    this.#set();
  }

  /** Show one run alone, and leave the link as it is. */
  clear() {
    this.#forking.isArmed = false;
    if (!this.isOn) return;
    this.#compared.set([]);
    this.#set();
  }

  /** The runs compared are others than before. */
  #set() {
    this.#root.classList.toggle("is-comparing", this.isOn);
    this.#drawn.set();
    if (!this.isOn) {
      this.values.show(null, null, "");
      this.#forking.alone = null;
    }
    this.refresh();
  }

  /** End the comparison; what trains goes on. */
  end() {
    if (!this.isOn) return;
    const { run, active } = this.guests[0].model;
    this.compareWith([]);
    announce(`The comparison has ended.${active ? ` ${run?.name ?? "The other run"} trains on.` : ""}`);
  }

  /** Take a run out of the comparison. @param {string} runId */
  #without(runId) {
    this.compareWith(this.#compared.ids.filter((each) => each !== runId));
  }

  /** A run beside was deleted while it was shown. @param {string} runId */
  #gone(runId) {
    this.#without(runId);
    this.problem.say(`The run “${runId.slice(0, 40)}” has been deleted while it was compared.`, []);
  }

  /** A and B change places. */
  swap() {
    const own = this.#view.stream.runId;
    if (!own || !this.isOn) return;
    const [first, ...rest] = this.#compared.ids;
    const { lens } = this.figure;
    this.#view.open(first, [own, ...rest]);
    this.figure.lens = lens;
    announce("A and B have changed places.");
  }

  /**
   * Compare with runs that a link names; for one that is not there say so, with the nearest that is.
   *
   * @param {string[]} runIds
   */
  async openLinked(runIds) {
    this.problem.hide();
    await this.#compared.look(true, runIds);
    const { found, wrong } = fromLink(runIds, this.#view.stream.runId ?? "", this.#compared.runs);
    if (found.join() !== this.#compared.ids.join()) this.compareWith(found);
    if (!wrong) return;
    const { sentence, instead } = wrong;
    const act = () => this.compareWith([...this.#compared.ids, instead ?? ""]);
    this.problem.say(sentence, instead === null ? [] : [{ text: "Compare with it", act }]);
  }

  // what is drawn

  /** Take a live frame of A. @param {Frame} frame */
  follow(frame) {
    this.#drawn.follow(frame);
  }

  /** Called from the page's drawing loop. @param {number} now */
  draw(now) {
    if (this.isOn) this.#drawn.draw(now);
  }

  /** @param {TwinLens} lens */
  setLens(lens) {
    this.figure.lens = lens;
    this.#addressed({ lens: lens === "matrix" ? null : lens });
    this.#drawn.ask();
  }

  /** Layer or colours changed. */
  repaint() {
    this.#drawn.repaint();
  }

  /** A moment is looked back at, or not any more. */
  moved() {
    this.#drawn.ask();
  }

  /** A has new scalars. */
  grown() {
    this.#drawn.invalidate();
  }

  /** How long a picture stays at least, in ms. */
  get stays_ms() {
    return this.#drawn.stays_ms;
  }

  // what is told, a few times a second

  refresh() {
    const { model, scrubber } = this.#view;
    if (this.isOn) this.#compared.look();
    model.beside = this.#text.inTitle;
    this.section.show(this.#text.section);
    this.bands.follow([model, ...this.guests.map((guest) => guest.model)]);
    if (!this.isOn) return;
    const { pinned } = scrubber;
    const b = this.guests[0].model;
    const past = pinned && b.run ? valuesAt(b.run, b.events, { epoch: b.run.epoch, step: pinned.step }) : null;
    this.values.show(b, past, model.watchOnly);
  }

  /** The sentence over the pictures and the one below; null where one run is shown. */
  get story() {
    return this.#text.story;
  }

  /** Events of all runs, for the log; null where one run is shown. */
  get told() {
    return this.#text.log;
  }

  /** Events of B, for the chips; null where one run is shown. */
  get twinEvents() {
    return this.#text.twinEvents;
  }

  /** The step that all show. */
  get step() {
    return this.#view.charts.beside?.step ?? 0;
  }

  describe() {
    if (this.isOn) this.figure.describe();
  }
}
