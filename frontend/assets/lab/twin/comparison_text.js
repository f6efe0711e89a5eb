// What a comparison tells: its lines in the left rail, the story of two runs, and the log and the chips of all.

import { eventsIn } from "../core/lineage.js";
import { inWords } from "../core/events.js";
import { count } from "../core/format.js";
import { settings } from "../core/settings.js";
import { countLinks } from "../core/story.js";
import { letterOf, PLACES } from "../charts/beside.js";
import { layerOf } from "../pictures/panel.js";
import { MOST_RUNS, differencesOf } from "./choice.js";
import { sharedUntil } from "./compared_runs.js";
import { linesOfAll } from "./log.js";
import { twinSentence, whatDiffers } from "./story.js";

/** @import { RunEvent } from "../core/told.js" */
/** @import { RunView } from "../run_view.js" */
/** @import { ComparedRuns } from "./compared_runs.js" */
/** @import { Forking } from "./forking.js" */
/** @import { SectionState } from "./section.js" */
/** @import { ComparisonView } from "./comparison_view.js" */

/** @typedef {{ swap: () => void, choose: () => void, without: (runId: string) => void }} Acts what the rail offers */

/** So many steps apart two runs are no longer compared without saying where each is. */
const APART_STEPS = 200;

export class ComparisonText {
  /** Events of all runs, and what they were made of. @type {{ of: RunEvent[][], events: RunEvent[] }} */
  #told = { of: [], events: [] };
  #view;
  #compared;
  #forking;
  #drawn;
  #acts;

  /**
   * @param {RunView} view of run A
   * @param {{ compared: ComparedRuns, forking: Forking, drawn: ComparisonView }} of
   * @param {Acts} acts
   */
  constructor(view, { compared, forking, drawn }, acts) {
    this.#view = view;
    this.#compared = compared;
    this.#forking = forking;
    this.#drawn = drawn;
    this.#acts = acts;
  }

  get #isOn() {
    return this.#compared.guests.length > 0;
  }

  /** What the page's title adds to the run's name. */
  get inTitle() {
    const { guests, forked } = this.#compared;
    if (!guests.length) return "";
    if (guests.length > 1) return `, with ${guests.length} others`;
    return forked ? ", with twin" : ", compared";
  }

  /** The section of the left rail. @returns {SectionState} */
  get section() {
    const { guests } = this.#compared;
    const { isArmed, isUnderWay, wrong } = this.#forking;
    return {
      isOn: this.#isOn || isArmed || isUnderWay,
      canBegin: this.#view.model.run !== null,
      below: this.#below(),
      note: wrong || this.#note(),
      isWrong: wrong !== "",
      further: guests.slice(1).map((guest, i) => ({
        letter: letterOf(PLACES[i + 2]),
        name: this.#compared.names[i + 2],
        remove: () => this.#acts.without(guest.runId),
      })),
      actions: this.#actions(),
    };
  }

  #below() {
    if (this.#forking.isUnderWay) return "making the twin…";
    if (this.#forking.isArmed) return "the next change makes a twin";
    if (!this.#isOn) return "a twin beside this run";
    const { forked, names, all } = this.#compared;
    const [a, b] = all;
    const name = names[1];
    if (forked) return `with ${forked === "b" ? "a twin" : "the run it came from"}, ${name}`;
    return `with ${name}${a && b && a.seed === b.seed && !name.includes("seed") ? ", same seed" : ""}`;
  }

  /** What waits, or what it costs that two train beside each other. */
  #note() {
    if (this.#forking.isArmed) return "This run stays as it is, as A; the twin, B, takes the change.";
    const [own, other] = [this.#view.model.run, this.#compared.guests[0]?.model.run];
    if (!own || !other) return "";
    if (other.status === "queued") return inWords(other.reason) || "B waits for a worker.";
    if (other.status === "failed") return inWords(other.reason);
    if (other.status === "paused" && own.status === "running") return `B is paused at step ${count(other.step)}.`;
    if (other.status === "starting") return `B starts from step ${count(other.step)}; A trains on meanwhile.`;
    if (own.status !== "running" || other.status !== "running") return "";
    const speeds = [own, other].map(({ steps_per_s: rate }) => (rate ? String(Math.round(rate)) : "–"));
    const { alone: before } = this.#forking;
    const alone = before ? `; alone A made ${Math.round(before)}` : "";
    return `Both train: A ${speeds[0]}, B ${speeds[1]} steps/s${alone}.`;
  }

  #actions() {
    if (this.#forking.isArmed) {
      return [{ name: "cancel", text: "Cancel", act: () => this.#forking.disarm() }];
    }
    if (!this.#isOn) return [];
    const undo = {
      name: "undo",
      text: "Undo the fork",
      title: "Ends the run that took the change; the other never had it",
      act: () => this.#forking.undo(),
    };
    const hasRoom = this.#compared.guests.length < MOST_RUNS - 1;
    return [
      ...(this.#compared.forked && !this.#view.model.watchOnly ? [undo] : []),
      { name: "swap", text: "Swap A and B", act: this.#acts.swap },
      ...(hasRoom ? [{ name: "add", text: "Add a run", act: this.#acts.choose }] : []),
    ];
  }

  /** The sentence over the pictures and the one below; null where one run is shown. @returns {[string, string] | null} */
  get story() {
    if (!this.#isOn) return null;
    const { guests, names, all } = this.#compared;
    const [a, b] = all;
    if (!a || !b) return null;
    const { layer } = this.#view.pictures;
    const shown = [this.#drawn.frame, guests[0].frame];
    const steps = shown.map((frame) => frame?.step ?? 0);
    const apart = Math.abs(steps[0] - steps[1]) > APART_STEPS;
    const counts = shown.map((frame) => {
      const connection = frame && layerOf(frame, layer)?.connection;
      return connection ? countLinks(connection) : null;
    });
    const differs = differencesOf(a, b).map(({ name }) => settings.controls[name]?.label ?? name.replaceAll("_", " "));
    const below = whatDiffers({ differs, forkedAt: sharedUntil(a, b), sameSeed: a.seed === b.seed });
    const [own, other] = counts;
    if (!own || !other) return [`${names[0]} beside ${names[1]}.`, below];
    const [first, second] = names.map((name, i) => (apart ? `${name} at step ${count(steps[i])}` : name));
    return [twinSentence({ name: first, counts: own }, { name: second, counts: other }), below];
  }

  /** Events of all runs, for the log; null where one run is shown. */
  get log() {
    if (!this.#isOn) return null;
    const { charts, model } = this.#view;
    const { guests } = this.#compared;
    const of = [charts.events, ...guests.map((guest) => this.#compared.eventsOf(guest))];
    const key = [model.events, ...guests.map((guest) => guest.model.events)];
    if (key.some((events, i) => events !== this.#told.of[i]) || key.length !== this.#told.of.length) {
      this.#told = { of: key, events: of.flat() };
    }
    const epoch = model.run?.epoch ?? 0;
    return {
      events: this.#told.events,
      /** @param {RunEvent[]} _ @param {number} layer */
      toLines: (_, layer) => linesOfAll(of, layer, epoch),
    };
  }

  /** Events of B, for the chips; null where one run is shown. */
  get twinEvents() {
    const [b] = this.#compared.guests;
    return b ? eventsIn(b.model.events, b.moments.lineage) : null;
  }
}
