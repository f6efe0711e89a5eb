// What stands under everything that is taken away: preset, seed, edits, step and version.

import { count, setting } from "../core/format.js";
import { editsOf } from "../core/recipe.js";
import { settings } from "../core/settings.js";

/** @import { Hello } from "../core/messages.js" */
/** @import { RunEvent } from "../core/told.js" */

const MOST_EDITS = 4;

/**
 * @param {Pick<Hello, "config" | "run">} hello
 * @param {RunEvent[]} events of the run, oldest first
 * @param {number} step that is shown
 */
export function captionOf({ config, run }, events, step) {
  const edits = editsOf(events).filter((edit) => edit.step <= step);
  const told = edits
    .slice(0, MOST_EDITS)
    .flatMap(({ step: at, controls }) =>
      Object.entries(controls).map(
        ([name, value]) => `${settings.controls[name]?.label ?? name} ${setting(Number(value))} at step ${count(at)}`,
      ),
    );
  const more = edits.length > MOST_EDITS ? [`${edits.length - MOST_EDITS} more edits`] : [];
  const first = `${config.preset}, seed ${run.seed}`;
  const own = config.train?.dataset ? [`data ${config.train.dataset}`] : [];
  return [first, ...own, ...told, ...more, `step ${count(step)}`, `Topology Lab ${settings.version}`].join(" · ");
}
