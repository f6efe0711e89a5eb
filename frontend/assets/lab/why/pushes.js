// What pushes an entry of A: the gradient that AdamW was given, sign turned, and the four parts that it is the sum of.

import { cell, count, percent } from "../core/format.js";
import { CUT } from "../core/story.js";

/** @import { FrameArray } from "../core/frames.js" */
/** @import { EntryHistory } from "../core/messages.js" */

/**
 * @typedef {"task" | "conflict" | "l1" | "binarize"} PartName
 * @typedef {Record<PartName | "all", number>} Pushes above 0 the link is strengthened
 */

/** @type {{ name: PartName, label: string, colour: string }[]} */
export const PARTS = [
  { name: "task", label: "task", colour: "var(--accent)" },
  { name: "conflict", label: "conflict", colour: "var(--conflict)" },
  { name: "l1", label: "L1", colour: "var(--held)" },
  { name: "binarize", label: "binarising", colour: "var(--good)" },
];

const HALF = 0.5;

/**
 * The pushes on one entry in the step of a frame; null where it does not tell them.
 *
 * @param {FrameArray | undefined} gradient
 * @param {number} expert
 * @param {number} block
 * @returns {Pushes | null}
 */
export function pushesOf(gradient, expert, block) {
  if (!gradient) return null;
  const blocks = gradient.data.length / (gradient.rows * gradient.cols);
  const [all, conflict, l1, binarize] = [0, 1, 2, 3].map(
    (row) => gradient.data[(row * gradient.cols + expert) * blocks + block],
  );
  if (Number.isNaN(all)) return null;
  return { all: -all, task: -(all - (conflict + l1 + binarize)), conflict: -conflict, l1: -l1, binarize: -binarize };
}

/**
 * The pushes at every step of a history; null where a step does not tell them.
 *
 * @param {EntryHistory} history
 * @returns {(Pushes | null)[]}
 */
export function pushesOver({ gradient, task, conflict, l1, binarize }) {
  return gradient.map((all, i) =>
    all === null || !Number.isFinite(all)
      ? null
      : { all: -all, task: -task[i], conflict: -conflict[i], l1: -l1[i], binarize: -binarize[i] },
  );
}

/** How many of a history's steps are not after a step; at least one. @param {EntryHistory} history @param {number} step */
export function knownUpTo({ steps }, step) {
  const after = steps.findIndex((each) => each > step);
  return Math.max(1, after < 0 ? steps.length : after);
}

/**
 * Since which of the first so many steps a link has been cut; -1 where it is not.
 *
 * @param {ArrayLike<number>} connection
 * @param {number} known
 */
export function cutSince(connection, known) {
  let since = known;
  while (since > 0 && connection[since - 1] < CUT) since -= 1;
  return since === known ? -1 : since;
}

/**
 * What became of the link up to a step and what did it, as sentences.
 *
 * @param {EntryHistory} history
 * @param {number} step that is looked at
 */
export function verdict(history, step) {
  const known = knownUpTo(history, step);
  const { steps, connection } = history;
  const since = cutSince(connection, known);
  const now = connection[known - 1];
  const fate =
    since > 0
      ? `Cut between step ${count(steps[since - 1])} and ${count(steps[since])}.`
      : since === 0
        ? "Cut from the beginning."
        : `Not cut: σ(A) ${cell(now)} at step ${count(steps[known - 1])}.`;
  const isDown = now < HALF;
  const told = pushesOver(history).slice(0, since > 0 ? since + 1 : known);
  return `${fate} ${whatPushed(told, isDown)}`.trim();
}

/**
 * @param {(Pushes | null)[]} told
 * @param {boolean} isDown
 */
function whatPushed(told, isDown) {
  const moments = told.filter((pushes) => pushes !== null);
  const sums = PARTS.map(({ name, label }) => ({
    label,
    sum: moments.reduce((sum, pushes) => sum + Math.max(0, isDown ? -pushes[name] : pushes[name]), 0),
  })).sort((a, b) => b.sum - a.sum);
  const whole = sums.reduce((sum, part) => sum + part.sum, 0);
  if (!moments.length) return "";
  const way = isDown ? "down" : "up";
  if (!whole) return `Nothing pushed it ${way}.`;
  const [first, second] = sums;
  const rest = second.sum / whole >= 0.005 ? `, ${second.label} ${percent(second.sum / whole)}` : "";
  const steps = moments.length === 1 ? "one step" : `${moments.length} steps`;
  const label = first.label[0].toUpperCase() + first.label.slice(1);
  return `${label} gave ${percent(first.sum / whole)} of the push ${way}${rest} (seen at ${steps}).`;
}
