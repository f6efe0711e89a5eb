// Bands of runs: other seeds of exactly the same settings, recorded ones and stored ones, as thinned curves.

import { decodeRecording, inflated } from "../core/recording.js";
import { reached, request, runPath } from "../core/requests.js";
import { CUT } from "../core/story.js";
import { bandOf } from "./bands.js";

/** @import { Band, Place } from "../charts/beside.js" */
/** @import { ListedRun, RecordedRuns, RunConfig } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Recording } from "../core/recording.js" */
/** @import { ControlValues } from "../core/told.js" */
/** @import { Curve } from "./bands.js" */

const MOST_SEEDS = 20;
const LEAST_STEPS = 50;
const AGAIN_MS = 60_000; // other runs go on

/** @typedef {{ key: string, asked_ms: number, recordings: Recording[], bands: Map<string, Band | null> }} Known */

export class Bands {
  /** By the run's place. @type {Map<Place, Known>} */
  #known = new Map();
  #isClosed = false;
  #onCome;

  /** @param {() => void} onCome */
  constructor(onCome) {
    this.#onCome = onCome;
  }

  close() {
    this.#isClosed = true;
  }

  /**
   * The band of a run's settings; null where there are too few seeds, or nothing recorded of that measure.
   *
   * @param {Place} place
   * @param {string} measure
   * @param {number} layer
   * @returns {Band | null}
   */
  of(place, measure, layer) {
    const known = this.#known.get(place);
    if (!known) return null;
    const name = `${measure} ${layer}`;
    const made = known.bands.get(name);
    if (made !== undefined) return made;
    const curves = known.recordings.flatMap((recording) => curveOf(recording, measure, layer) ?? []);
    const band = bandOf(curves, [0, measure === "loss" ? Infinity : 1]);
    known.bands.set(name, band);
    return band;
  }

  /**
   * Follow the runs that are shown.
   *
   * @param {Model[]} models A first; bands are of the first two
   */
  follow(models) {
    for (const [i, place] of /** @type {Place[]} */ (["a", "b"]).entries()) {
      const model = models[i];
      const key = keyOf(model);
      const known = this.#known.get(place);
      if (key === null) {
        this.#known.delete(place);
        continue;
      }
      if (known?.key === key && performance.now() - known.asked_ms < AGAIN_MS) continue;
      const recordings = known?.key === key ? known.recordings : [];
      const bands = known?.key === key ? known.bands : new Map();
      this.#known.set(place, { key, asked_ms: performance.now(), recordings, bands });
      this.#fetch(place, key, model);
    }
  }

  /**
   * @param {Place} place
   * @param {string} key
   * @param {Model} model
   */
  async #fetch(place, key, { hello, run }) {
    if (!hello || !run) return;
    const [runs, recorded] = await Promise.all([request("GET", "/api/runs"), request("GET", "/api/recorded")]);
    const wanted = { config: hello.config, controls: run.controls.applied };
    /** By their seed. @type {Map<number, Recording>} */
    const found = new Map();
    for (const ask of [
      ...(recorded.ok ? recordedLike(recorded.body, wanted, run.seed) : []),
      ...(runs.ok ? storedLike(runs.body, run) : []),
    ]) {
      if (this.#isClosed || this.#known.get(place)?.key !== key || found.size >= MOST_SEEDS) break;
      const recording = await ask();
      if (!recording || !isLike(recording, wanted)) continue;
      const { seed } = recording.recipe.config.train;
      const known = found.get(seed);
      if (seed === run.seed || (known && lastOf(known) >= lastOf(recording))) continue;
      found.set(seed, recording);
    }
    const known = this.#known.get(place);
    if (known?.key !== key || this.#isClosed) return;
    known.recordings = [...found.values()];
    known.bands = new Map();
    this.#onCome();
  }
}

/** @param {Recording} recording */
const lastOf = ({ steps }) => steps[steps.length - 1];

/**
 * What a run's band is of; null for a run whose controls were changed on the way: no other seed had the same.
 *
 * @param {Model | undefined} model
 */
function keyOf(model) {
  const run = model?.run;
  if (!run || !model?.hello || run.step === 0) return null;
  if (Object.values(run.controls.applied_step).some((step) => step > 0)) return null;
  return JSON.stringify([run.run_id, run.epoch, run.controls.applied]);
}

/** @typedef {{ config: RunConfig, controls: ControlValues }} Wanted */

/** Whether a recorded run has the same settings but for the seed. @param {Recording} recording @param {Wanted} wanted */
function isLike({ recipe: { config, edits } }, wanted) {
  if (edits.some(({ step }) => step > 0)) return false;
  const controls = edits.reduce((all, edit) => ({ ...all, ...edit.controls }), { ...config.controls });
  /** @param {RunConfig} of */
  const rest = ({ model, train }) => flat({ ...model, ...train, seed: 0, steps: 0, epochs: 0 });
  return rest(config) === rest(wanted.config) && flat(controls) === flat(wanted.controls);
}

/** @param {object} fields */
const flat = (fields) => JSON.stringify(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));

/**
 * @param {RecordedRuns} listed
 * @param {Wanted} wanted
 * @param {number} seed
 */
const recordedLike = ({ recorded }, { config, controls }, seed) =>
  recorded
    .filter((each) => each.preset === config.preset && each.seed !== seed && each.edits === 0)
    .filter((each) => Object.entries(each.controls).every(([name, value]) => controls[name] === value))
    .map(({ name }) => async () => {
      const answer = await reached(`/api/recorded/${encodeURIComponent(name)}`);
      return answer?.ok ? decodeRecording(await answer.arrayBuffer()) : null;
    });

/**
 * @param {ListedRun[]} runs
 * @param {{ run_id: string, preset: string, seed: number, controls: ListedRun["controls"] }} own
 */
const storedLike = (runs, own) =>
  runs
    .filter((run) => run.run_id !== own.run_id && run.preset === own.preset && run.seed !== own.seed)
    .filter((run) => run.step >= LEAST_STEPS && flat(run.controls.applied) === flat(own.controls.applied))
    .filter((run) => Object.values(run.controls.applied_step).every((step) => step === 0))
    .sort((a, b) => b.step - a.step)
    .filter((run, i, all) => all.findIndex((other) => other.seed === run.seed) === i)
    .map((run) => async () => {
      const answer = await reached(`${runPath(run.run_id)}/recording`);
      return answer?.ok ? decodeRecording(await inflated(answer)) : null;
    });

/**
 * A measure of a recorded run; null where it is not recorded.
 *
 * @param {Recording} recording
 * @param {string} measure
 * @param {number} layer
 * @returns {Curve | null}
 */
export function curveOf(recording, measure, layer) {
  const { steps, names } = recording;
  if (measure === "cut") {
    if (layer >= recording.layers) return null;
    const shares = steps.map((_, picture) => {
      const sigma = recording.connection(layer, picture);
      return sigma.filter((value) => value < 255 * CUT).length / sigma.length;
    });
    return { xs: steps, ys: shares };
  }
  const begins = measure === "accuracy" ? "test_accuracy/" : measure === "loss" ? "task_loss" : null;
  const columns = names.flatMap((name, i) => (begins && name.startsWith(begins) ? [i] : []));
  if (!columns.length) return null;
  const points = steps
    .map((step, picture) => ({
      step,
      value: columns.reduce((sum, column) => sum + recording.scalar(column, picture), 0) / columns.length,
    }))
    .filter(({ value }) => !Number.isNaN(value));
  return { xs: points.map(({ step }) => step), ys: points.map(({ value }) => value) };
}
