// Commands to a run, one after the other.

import { request, runPath } from "./requests.js";

/** @import { Model } from "./model.js" */
/** @import { Answer } from "./requests.js" */

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Commands {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  #model;

  /** @param {Model} model */
  constructor(model) {
    this.#model = model;
  }

  /**
   * Send one command; they leave one after the other, so that each knows the revision the one before made.
   *
   * @param {string} type
   * @param {object} [fields]
   */
  send(type, fields = {}) {
    const result = this.#last.then(() => this.#post(type, fields));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @returns {Promise<Answer>}
   */
  async #post(type, fields) {
    const { run } = this.#model;
    if (!run) return { ok: false, status: 0, body: {}, reason: "There is no run to steer." };
    const based = type === "set" ? { base_revision: run.revision } : {};
    const command = { command_id: newId(), type, ...fields, ...based };
    const result = await request("POST", `${runPath(run.run_id)}/commands`, command);
    this.#model.answered(run.run_id, result.body);
    return result;
  }
}
