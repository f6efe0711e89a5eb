// All runs of the server, behind the model's name in the header: what each does, and a way to it.

import { clock, count } from "../core/format.js";
import { request } from "../core/requests.js";
import { statusOf } from "../core/settings.js";

/** @import { Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */

const LOOK_MS = 5000;
const SHOWN = 50; // the newest ones; the run on the page is always among them

/** Whether a run trains now. @param {Run} run */
const trains = ({ status }) => status === "starting" || status === "running";

export class RunList {
  #timer = 0;
  #texts = "";
  #followed = "";
  #model;
  #ended;

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {(runId: string) => void} openRun shows another run
   * @param {AbortSignal} ended
   */
  constructor(parts, model, openRun, ended) {
    this.#model = model;
    this.#ended = ended;
    this.select = parts.select("run-list");
    this.others = parts.find("other-runs");
    this.select.addEventListener("change", () => openRun(this.select.value));
    this.select.addEventListener("pointerenter", () => this.look());
    this.select.addEventListener("focus", () => this.look());
    document.addEventListener("visibilitychange", () => document.hidden || this.look(), { signal: ended });
    ended.addEventListener("abort", () => clearTimeout(this.#timer));
    this.look();
  }

  /** Ask for the runs now, and again later. */
  async look() {
    clearTimeout(this.#timer);
    const answer = await request("GET", "/api/runs");
    if (this.#ended.aborted) return;
    if (answer.ok) this.#show(answer.body);
    clearTimeout(this.#timer); // two looks at once leave one timer
    if (!document.hidden) this.#timer = window.setTimeout(() => this.look(), LOOK_MS);
  }

  /** The page may show another run than before. */
  follow() {
    const shown = this.#model.run ? this.#model.run.run_id : "";
    if (shown === this.#followed) return;
    this.#followed = shown;
    this.look();
  }

  /** @param {Run[]} runs */
  #show(runs) {
    const { run } = this.#model;
    const shown = run ? run.run_id : "";
    const others = runs.filter((each) => each.run_id !== shown && trains(each)).length;
    const listed = runs.filter((each, i) => i < SHOWN || each.run_id === shown);
    const texts = listed.map(runInWords);
    if (texts.join("\n") !== this.#texts) {
      this.#texts = texts.join("\n");
      this.select.replaceChildren(...listed.map((each, i) => new Option(texts[i], each.run_id)));
    }
    this.select.value = shown;
    this.select.disabled = !listed.length;
    const beside = others ? `${others} other ${others === 1 ? "run trains" : "runs train"} on this server. ` : "";
    this.select.title = run
      ? `The run shown: preset ${run.preset}, seed ${run.seed}. ${beside}Choose another here.`
      : "Choose a run";
    this.others.textContent = others ? `+${others}` : "";
  }
}

/** One run of the list. Its step is left out while it changes: an open list stays as it is. @param {Run} run */
function runInWords(run) {
  const name = run.name && run.name !== run.preset ? run.name : run.preset;
  const step = run.step && !trains(run) ? ` at step ${count(run.step)}` : "";
  return `${name} · seed ${run.seed} · ${statusOf(run.status).words.toLowerCase()}${step} · ${beganAt(run.created_ms)}`;
}

/** The clock, and the day when it was not today. @param {number} time_ms */
function beganAt(time_ms) {
  const day = new Date(time_ms).toLocaleDateString();
  return `${day === new Date().toLocaleDateString() ? "" : `${day} `}${clock(time_ms)}`;
}
