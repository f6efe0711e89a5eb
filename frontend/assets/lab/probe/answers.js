// What models said of images: asked once for each state of a run, then remembered.

import { request, runPath } from "../core/requests.js";

/** @import { ProbeAnswer } from "../core/messages.js" */

/**
 * @typedef {object} Question
 * @property {string} run
 * @property {number} epoch NaN for the one that the run is in
 * @property {number} step
 * @property {string} image as a link writes it
 * @property {number} task
 *
 * @typedef {{ answer: ProbeAnswer | null, problem: string }} Said
 */

const MOST_REMEMBERED = 2000;

/** The known step nearest to a step, of two as near the earlier. @param {number[]} known @param {number} step */
export function nearest(known, step) {
  return known.reduce((best, each) => (Math.abs(each - step) < Math.abs(best - step) ? each : best), known[0] ?? -1);
}

export class Answers {
  /** @type {Map<string, ProbeAnswer>} */
  #remembered = new Map();
  /** Steps whose states are kept, by run and epoch. @type {Map<string, number[]>} */
  #known = new Map();

  /** Steps that can be asked, as far as was said. @param {Question} question */
  known({ run, epoch }) {
    return this.#known.get(`${run} ${epoch}`) ?? [];
  }

  /**
   * What is remembered of the state nearest to a step; null where it has to be asked.
   *
   * @param {Question} question
   */
  remembered(question) {
    const step = nearest(this.known(question), question.step);
    return this.#remembered.get(keyOf({ ...question, step })) ?? null;
  }

  /** @param {Question} question @returns {Promise<Said>} */
  async ask(question) {
    const { run, epoch, step, image, task } = question;
    const of = Number.isNaN(epoch) ? "" : `epoch=${epoch}&`;
    const query = `${of}step=${step}&task=${task}&image=${image}`;
    const found = await request("GET", `${runPath(run)}/probe?${query}`);
    if (!found.ok) return { answer: null, problem: found.reason };
    /** @type {ProbeAnswer} */
    const answer = found.body;
    this.#known.set(`${run} ${epoch}`, answer.known);
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(keyOf({ ...question, step: answer.step }), answer);
    return { answer, problem: "" };
  }
}

/** @param {Question} question */
const keyOf = ({ run, epoch, step, image, task }) => `${run} ${epoch} ${step} ${task} ${image}`;
