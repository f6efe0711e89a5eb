// What a probe says, in words: the class that the model answers with, and as of which step.

import { element } from "../core/element.js";
import { count, percent } from "../core/format.js";

/** @import { Guess, Hello } from "../core/messages.js" */

/** The name of the class guessed; a dot for what is not known yet. @param {Hello | null} hello @param {number} task @param {Guess | null} guess */
export function classOf(hello, task, guess) {
  if (!guess) return "…";
  return hello?.tasks[task]?.class_names[guess.label] ?? String(guess.label);
}

/**
 * A row of the answers.
 *
 * @param {string} what how the image was shown
 * @param {string} name of the class
 * @param {Guess | null} guess
 */
export const answerRow = (what, name, guess) => [
  element("dt", { textContent: what }),
  element("dd", {}, element("b", { textContent: name }), guess ? ` ${percent(guess.share)}` : ""),
];

/**
 * As of which step an answer is, and which steps can be asked.
 *
 * @param {number | null} step null while it is asked
 * @param {number} wanted
 * @param {number[]} known
 */
export function asOf(step, wanted, known) {
  const steps =
    known.length > 4
      ? `${known.slice(0, 2).map(count).join(", ")} … ${count(known[known.length - 1])}`
      : known.map(count).join(", ");
  const knows = known.length ? ` ${known.length} steps are kept: ${steps}.` : "";
  const as =
    step === null ? "Asking…" : `As of step ${count(step)}${step === wanted ? "" : ", the nearest that is kept"}.`;
  return `${as}${knows}`;
}
