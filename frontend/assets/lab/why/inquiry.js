// What stands in the card of something that was clicked: of a link why it is as it is, of an expert what it holds.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { decodeArrays } from "../core/frames.js";
import { isSame } from "../core/focus.js";
import { reached, request, runPath } from "../core/requests.js";
import { block, expert } from "../pictures/picture.js";
import { CUT } from "../core/story.js";
import { aboutExpert } from "./about_expert.js";
import { aboutLink } from "./about_link.js";
import { Lesion } from "./lesion.js";

/** @import { EntryHistory, SurestPatches } from "../core/messages.js" */
/** @import { Target } from "../core/focus.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Pictures } from "../pictures/pictures.js" */

const AGAIN_MS = 5000; // while the run trains
const PHONE_PX = 900; // below it the card stands in the one column
const NO_VALUE = NaN;
const RECORDED = "A recorded run holds σ(A) alone. Start a run from its settings, and what pushes each link is kept.";

export class Inquiry {
  #model;
  #pictures;
  #box;
  #card;
  /** What is asked about. @type {{ target: Target, run: string, epoch: number, layer: number } | null} */
  #asked = null;
  /** @type {EntryHistory | null} */
  #history = null;
  /** @type {SurestPatches | null} */
  #surest = null;
  #problem = "";
  #askedAt = 0;
  /** What is told of it, made anew at every step; what is muted beside it stays. */
  #told = element("div", {});
  #lesion = new Lesion();
  #shown = "";

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Pictures} pictures
   */
  constructor(parts, model, pictures) {
    this.#model = model;
    this.#pictures = pictures;
    this.#box = parts.find("card-inquiry");
    this.#box.append(this.#told, this.#lesion.root);
    this.#card = parts.find("card");
    parts.button("card-free").addEventListener("click", () => {
      pictures.focus.free();
      this.refresh(true);
    });
  }

  /** Follow what is pinned, a few times a second. @param {boolean} isFree whether the single run's figure is shown */
  refresh(isFree) {
    const { run, hasTopology } = this.#model;
    const { focus, frame, layer } = this.#pictures;
    const target = isFree && focus.pinned ? focus.target : null;
    const isAsked = target !== null && target.expert !== null && target.task === null && target.other === null;
    if (!run || !frame || !hasTopology || !isAsked) {
      this.#close();
      return;
    }
    const isRecorded = this.#model.isRecorded;
    const asked = { target, run: run.run_id, epoch: isRecorded ? 0 : frame.epoch, layer };
    const before = this.#asked;
    const isAnother =
      !before ||
      !isSame(before.target, target) ||
      before.run !== asked.run ||
      before.epoch !== asked.epoch ||
      before.layer !== layer;
    const isOld = this.#model.active && target.block !== null && performance.now() - this.#askedAt > AGAIN_MS;
    if (isAnother) {
      this.#history = null;
      this.#surest = null;
      this.#problem = "";
    }
    this.#asked = asked;
    const { hello } = this.#model;
    const part = { expert: Number(target.expert), block: target.block };
    this.#lesion.offer(hello && !isRecorded ? { ...asked, ...part, step: frame.step, hello } : null);
    if (isAnother || isOld) this.#ask(asked, isRecorded, isAnother);
    this.#show();
  }

  #close() {
    if (!this.#asked) return;
    this.#asked = null;
    this.#history = null;
    this.#surest = null;
    this.#shown = "";
    this.#told.replaceChildren();
    this.#lesion.offer(null);
    this.#mark(false);
  }

  /** @param {boolean} isOpen */
  #mark(isOpen) {
    const opens = isOpen && this.#box.hidden;
    this.#box.hidden = !isOpen;
    this.#card.classList.toggle("is-inquiry", isOpen);
    if (opens && innerWidth < PHONE_PX) this.#card.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {{ target: Target, run: string, epoch: number, layer: number }} asked
   * @param {boolean} isRecorded
   * @param {boolean} aloud
   */
  async #ask(asked, isRecorded, aloud) {
    this.#askedAt = performance.now();
    const { target, run, epoch, layer } = asked;
    if (target.block === null) {
      await this.#askPatches(asked, isRecorded);
      return;
    }
    const [e, p] = [Number(target.expert), Number(target.block)];
    const blocks = this.#model.hello?.partitions ?? 0;
    const found = isRecorded
      ? await historyOfRecorded(run, layer, e * blocks + p)
      : await request("GET", `${runPath(run)}/entries/${epoch}/${layer}/${e}/${p}`);
    if (this.#asked !== asked && !(this.#asked && isSame(this.#asked.target, target))) return;
    this.#history = found.ok ? found.body : null;
    this.#problem = found.reason;
    this.#show();
    if (aloud) announce(this.#box.querySelector(".inquiry-verdict")?.textContent || this.#problem);
  }

  /**
   * @param {{ target: Target, run: string, epoch: number, layer: number }} asked
   * @param {boolean} isRecorded
   */
  async #askPatches(asked, isRecorded) {
    if (isRecorded) {
      this.#problem = "A recorded run holds no weights: what its experts take cannot be asked.";
      return;
    }
    const { target, run, epoch, layer } = asked;
    const step = this.#pictures.frame?.step ?? 0;
    const found = await request("GET", `${runPath(run)}/surest/${layer}/${target.expert}?epoch=${epoch}&step=${step}`);
    if (this.#asked?.layer !== layer || !isSame(this.#asked.target, target)) return;
    this.#surest = found.ok ? found.body : null;
    this.#problem = found.reason;
    this.#show();
  }

  #show() {
    const { frame, layer } = this.#pictures;
    if (!this.#asked || !frame) return;
    const { target } = this.#asked;
    if (target.block === null) {
      this.#showExpert(Number(target.expert));
      return;
    }
    const [e, p] = [Number(target.expert), Number(target.block)];
    const arrays = frame.layers[layer] ?? {};
    const { connection, topology_gradient: gradient } = arrays;
    const isCut = connection !== undefined && connection.data[e * connection.cols + p] < CUT;
    const state = JSON.stringify([target, layer, frame.step, this.#history?.steps.length, this.#problem]);
    if (state === this.#shown) return;
    this.#shown = state;
    const title = isCut ? `Why is ${expert(e)} to ${block(p)} cut?` : `What moves ${expert(e)} to ${block(p)}?`;
    this.#told.replaceChildren(
      element("h3", { textContent: title }),
      ...aboutLink({ history: this.#history, problem: this.#problem, gradient, expert: e, block: p, step: frame.step }),
    );
    this.#mark(true);
  }

  /** @param {number} e */
  #showExpert(e) {
    const { frame, layer } = this.#pictures;
    const { hello } = this.#model;
    const state = JSON.stringify([e, layer, frame?.step, this.#surest?.step, this.#problem]);
    if (!hello || !frame || state === this.#shown) return;
    this.#shown = state;
    this.#told.replaceChildren(
      element("h3", { textContent: `What ${expert(e)} holds and takes` }),
      ...aboutExpert({ layer: frame.layers[layer] ?? {}, e, hello, surest: this.#surest, problem: this.#problem }),
    );
    this.#mark(true);
  }
}

/**
 * Sigma of an entry from the film of a recorded run, which tells nothing else of it.
 *
 * @param {string} run
 * @param {number} layer
 * @param {number} entry
 * @returns {Promise<{ ok: boolean, body: EntryHistory | null, reason: string }>}
 */
async function historyOfRecorded(run, layer, entry) {
  const response = await reached(`${runPath(run)}/film`);
  if (!response?.ok) return { ok: false, body: null, reason: "The film of this run cannot be read now." };
  const { arrays } = decodeArrays(await response.arrayBuffer());
  const [steps, film] = [arrays.get("steps"), arrays.get(`layer${layer}/connection`)];
  if (!steps || !film) return { ok: false, body: null, reason: "The film of this run has no σ(A)." };
  const connection = Array.from(steps.data, (_, i) => film.data[i * film.cols + entry] / 255);
  const none = connection.map(() => NO_VALUE);
  const rest = { gradient: none, task: none, conflict: none, l1: none, binarize: none };
  return { ok: true, body: { steps: Array.from(steps.data), connection, ...rest, untold: RECORDED }, reason: "" };
}
