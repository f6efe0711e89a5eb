// What happened up to the moment shown: the log, the chips of the phases, and who is idle now.

import { Chips } from "./charts/chips.js";
import { shownAt, tenths } from "./charts/measures.js";
import { phasesOf } from "./core/phases.js";
import { expert, idlers } from "./pictures/picture.js";
import { EventLog } from "./shell/event_log.js";

/** @import { FilmAndTime } from "./charts/film_and_time.js" */
/** @import { Scrubber } from "./charts/scrubber.js" */
/** @import { Model } from "./core/model.js" */
/** @import { Parts } from "./core/parts.js" */
/** @import { RunEvent } from "./core/told.js" */
/** @import { Line } from "./shell/event_log.js" */
/** @import { Rail } from "./shell/rail.js" */

export class Happened {
  #model;
  #page;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {{ charts: FilmAndTime, scrubber: Scrubber, rail: Rail }} page
   */
  constructor(parts, model, page) {
    this.#model = model;
    this.#page = page;
    const { scrubber } = page;
    this.chips = new Chips(parts.find("phases"), ({ step, epoch }) => scrubber.seekStep(step, epoch));
    this.log = new EventLog(parts.find("log"), parts.find("events"), (step, epoch) => scrubber.seekStep(step, epoch));
  }

  /**
   * @param {object} shown
   * @param {number} shown.layer
   * @param {{ events: RunEvent[], toLines: (events: RunEvent[], layer: number) => Line[] } | null} shown.told of several
   *   runs, where they are compared
   * @param {{ events: RunEvent[], step: number } | null} shown.twin events of the run beside, and the step that both show
   */
  show({ layer, told, twin }) {
    const { log } = this;
    const model = this.#model;
    const { charts, scrubber, rail } = this.#page;
    const { pinned } = scrubber;
    if (told) log.show(told.events, layer, pinned, model.hasTopology, told.toLines);
    else log.show(model.events, layer, pinned, model.hasTopology);
    log.stand(this.#idle(layer));
    rail.told(log.size);
    const phases = phasesOf(charts.events, layer);
    const step = twin ? twin.step : pinned ? pinned.step : charts.last;
    this.chips.show(phases, step, phases.length > 0, twin && phasesOf(twin.events, layer));
  }

  /**
   * Experts that get next to nothing in the step shown, and how many those are on average, which is what the measure of
   * the busy ones leaves of all.
   *
   * @param {number} layer
   */
  #idle(layer) {
    const model = this.#model;
    const { pinned } = this.#page.scrubber;
    const frame = pinned || model.frame;
    const arrays = frame?.layers[layer];
    if (!frame || !model.hello || !arrays || frame.step === 0) return "";
    const { experts } = model.hello;
    const idle = Array.from({ length: experts }, (_, e) => e)
      .filter(idlers(arrays))
      .map(expert);
    if (!idle.length) return "";
    const all = idle.length > 1 ? `${idle.slice(0, -1).join(", ")} and ${idle.at(-1)}` : idle[0];
    const said = `Idle ${pinned ? "then" : "now"}: ${all}`;
    const busy = model.isOfRun(frame) ? shownAt(model, "busy", layer, frame.step) : undefined;
    if (busy === undefined) return said;
    return `${said}; ${tenths(experts - Number(tenths(busy)))} on average`;
  }
}
