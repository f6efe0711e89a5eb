// Recorded runs among the others: a run's id that begins with `recorded:` is of one, and nothing trains behind it.

/** @import { ListedRun, RecordedRun } from "./messages.js" */

const PREFIX = "recorded:";

/** The run's id of a recorded run. @param {string} name */
export const recordedId = (name) => `${PREFIX}${name}`;

/** The name of a recorded run; null where a run's id is of another. @param {string | null | undefined} runId */
export const recordedName = (runId) => (runId?.startsWith(PREFIX) ? runId.slice(PREFIX.length) : null);

/** What a link says of the run shown, which is a recorded one or one of the server. @param {string} runId */
export function runInLink(runId) {
  const recorded = recordedName(runId);
  return recorded === null ? { run: runId, recorded: null } : { run: null, recorded };
}

/** The id of the run that a link names, if it names one. @param {Record<string, string>} address */
export const linkedRun = ({ run, recorded }) => (recorded ? recordedId(recorded) : run);

/** What a recorded run shows in place of the pictures that it does not hold. */
export const NOT_RECORDED =
  "A recorded run keeps σ(A) and its curves, in under 10 kB. Routing, conflict and the backbone are not in it: start a run from its settings to see them.";

/** A recorded run as the list of runs would have it. @param {RecordedRun} recorded @returns {ListedRun} */
export function listedOf({
  name,
  preset,
  seed,
  steps,
  controls,
  links_cut,
  accuracy,
  blind_accuracy,
  settings,
  size_bytes,
}) {
  const values = /** @type {Record<string, number>} */ ({ ...controls });
  return {
    run_id: recordedId(name),
    name,
    note: "",
    preset,
    seed,
    status: "finished",
    reason: null,
    epoch: 0,
    step: steps,
    total_steps: steps,
    revision: 0,
    controls: { requested: values, applied: values, applied_step: {} },
    speed: null,
    device: null,
    steps_per_s: null,
    viewers: 0,
    restarts: 0,
    created_ms: 0,
    parent: null,
    kept: true,
    size_bytes,
    accuracy,
    blind_accuracy,
    links_cut,
    settings,
  };
}
