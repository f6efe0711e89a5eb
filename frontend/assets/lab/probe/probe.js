// The probe: one image, drawn or picked, and what the model does with it at the step that is looked at.

import { announce } from "../core/announcer.js";
import { colours, ofTask } from "../core/colours.js";
import { element } from "../core/element.js";
import { targetOf } from "../core/focus.js";
import { shortName } from "../core/format.js";
import { written } from "../core/pixels.js";
import { recordedName } from "../core/recorded.js";
import { request, runPath } from "../core/requests.js";
import { mainTask } from "../pictures/threads.js";
import { Answers } from "./answers.js";
import { Pinned, thumbOf } from "./images.js";
import { Pad } from "./pad.js";
import { PatchGrid } from "./patch_grid.js";
import { answerRow, asOf, classOf } from "./said.js";

/** @import { Guess, SampleImages } from "../core/messages.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Parts } from "../core/parts.js" */
/** @import { Pictures } from "../pictures/pictures.js" */
/** @import { Question } from "./answers.js" */
/** @import { Image } from "./images.js" */

const AGAIN_MS = 3000; // while the run trains, and its states grow
const RECORDED = "A recorded run holds no weights, so it cannot be probed. Start a run from its settings.";

export class Probe {
  #fold;
  #model;
  #pictures;
  /** @type {() => string | null} */
  #twin;
  #answers = new Answers();
  /** @type {Image[]} */
  #samples = [];
  #pinned = new Pinned(() => {
    this.#drawn = "";
    this.#show();
  });
  /** @type {Image | null} */
  #image = null;
  /** @type {Pad | null} */
  #pad = null;
  #run = "";
  #problem = "";
  #askedAt = 0;
  #busy = false;
  #drawn = "";
  #grid;
  #row = element("div", { className: "probe-samples" });
  #says = element("dl", { className: "probe-answers" });
  #note = element("p", { className: "note probe-note" });
  #tools = element("div", { className: "probe-tools" });
  #padHost = element("div", { className: "probe-drawing", hidden: true });
  #task = element("select", {});

  /**
   * @param {Parts} parts
   * @param {Model} model
   * @param {Pictures} pictures
   * @param {() => string | null} twin the run beside, where one is compared
   */
  constructor(parts, model, pictures, twin) {
    this.#model = model;
    this.#pictures = pictures;
    this.#twin = () => {
      const runId = twin();
      return runId !== null && recordedName(runId) === null ? runId : null; // a recorded run cannot be asked
    };
    this.#fold = /** @type {HTMLDetailsElement} */ (parts.find("probe-fold"));
    const { focus } = pictures;
    this.#grid = new PatchGrid({
      point: (expert) => focus.point(expert < 0 ? null : targetOf({ expert })),
      pin: (expert) => expert >= 0 && focus.pin(targetOf({ expert })),
      leave: () => focus.point(null),
    });
    this.#note.setAttribute("aria-live", "polite");
    this.#task.setAttribute("aria-label", "Task whose ID is given");
    this.#task.addEventListener("change", () => this.#image && this.#choose({ ...this.#image, task: this.#taskNow }));
    const draw = this.#button("Draw", () => this.#toggleDrawing());
    draw.dataset.probe = "draw";
    draw.setAttribute("aria-expanded", "false");
    const pin = this.#button("Pin", () => this.#pin());
    pin.dataset.probe = "pin";
    const clear = this.#button("Clear", () => this.#pad?.clear());
    this.#padHost.append(clear);
    this.#tools.append(draw, pin, element("span", { className: "probe-task" }, "ID", this.#task));
    parts
      .find("probe")
      .replaceChildren(
        this.#row,
        this.#tools,
        this.#padHost,
        element("div", { className: "probe-shown" }, this.#grid.root, this.#says),
        this.#note,
        this.#pinned.list,
      );
    this.#fold.addEventListener("toggle", () => this.refresh());
  }

  get #taskNow() {
    return Number(this.#task.value) || 0;
  }

  /** Follow the step that is looked at, a few times a second; a closed probe asks nothing. */
  refresh() {
    const { run, hello } = this.#model;
    if (!this.#fold.open || !run || !hello) return;
    if (this.#run !== run.run_id) this.#begin(run.run_id);
    if (this.#model.isRecorded) {
      this.#tell(RECORDED);
      return;
    }
    const isOld = this.#model.active && performance.now() - this.#askedAt > AGAIN_MS;
    const questions = this.#questions();
    if (!this.#busy && (isOld || questions.some((each) => !this.#answers.remembered(each)))) {
      this.#ask(questions, isOld);
    }
    this.#show();
  }

  /** Another run: its own images; what was pinned stays. @param {string} runId */
  async #begin(runId) {
    this.#run = runId;
    this.#problem = "";
    const tasks = this.#model.hello?.tasks ?? [];
    this.#task.replaceChildren(
      ...tasks.map(({ label }, q) => element("option", { value: String(q), textContent: shortName(label) })),
    );
    if (this.#model.isRecorded) return;
    const found = await request("GET", `${runPath(runId)}/images`);
    if (this.#run !== runId) return;
    if (!found.ok) {
      this.#problem = found.reason;
      if (found.status >= 500 || found.status === 404) this.#run = ""; // it may be there in a moment
      this.#tell(found.reason);
      return;
    }
    /** @type {SampleImages} */
    const { images } = found.body;
    this.#samples = images.map(({ pixels, task, label }) => ({ pixels, task, name: this.#named(task, label) }));
    this.#row.replaceChildren(...this.#samples.map((image) => thumbOf(image, this.#side, () => this.#choose(image))));
    if (!this.#image && this.#samples[0]) this.#choose(this.#samples[0]);
  }

  /** @param {number} task @param {number} label */
  #named(task, label) {
    const about = this.#model.hello?.tasks[task];
    return about ? `${shortName(about.label)} ${about.class_names[label] ?? label}` : `class ${label}`;
  }

  /** @param {Image} image */
  #choose(image) {
    this.#image = image;
    this.#task.value = String(image.task);
    for (const [place, thumb] of Array.from(this.#row.children).entries()) {
      thumb.setAttribute("aria-pressed", String(this.#samples[place] === image));
    }
    this.refresh();
  }

  #toggleDrawing() {
    const opens = this.#padHost.hidden;
    this.#padHost.hidden = !opens;
    this.#tools.querySelector("[data-probe=draw]")?.setAttribute("aria-expanded", String(opens));
    const side = this.#side;
    if (!this.#pad && side) {
      this.#pad = new Pad(side, () => {
        if (this.#pad) this.#choose({ pixels: this.#pad.pixels.slice(), task: this.#taskNow, name: "your drawing" });
      });
      this.#padHost.prepend(this.#pad.canvas);
    }
    if (opens) this.#pad?.canvas.focus();
  }

  get #side() {
    return this.#model.hello?.config.model.image_size ?? 0;
  }

  #pin() {
    if (!this.#image) return;
    const problem = this.#pinned.add(this.#image);
    if (problem) {
      this.#tell(problem);
      return;
    }
    announce(`Pinned: ${this.#image.name}.`);
    this.#drawn = "";
    this.refresh();
  }

  /** What has to be known of the moment shown: the image of this run and of its twin, and every pinned one. */
  #questions() {
    const { run, frame: live } = this.#model;
    const frame = this.#pictures.frame ?? live;
    if (!run || !frame) return [];
    const twin = this.#twin();
    const images = [...(this.#image ? [this.#image] : []), ...this.#pinned.images];
    /** @type {Question[]} */
    const questions = images.map((image) => this.#question(run.run_id, frame.epoch, frame.step, image));
    if (twin !== null && this.#image) {
      questions.push(this.#question(twin, Number.NaN, frame.step, this.#image));
    }
    return questions;
  }

  /**
   * @param {string} run
   * @param {number} epoch NaN for the one that it is in
   * @param {number} step
   * @param {Image} image
   * @returns {Question}
   */
  #question(run, epoch, step, { pixels, task }) {
    return { run, epoch, step, image: written(pixels), task };
  }

  /** @param {Question[]} questions @param {boolean} anew ask what is remembered, too: later states may be kept */
  async #ask(questions, anew) {
    this.#busy = true;
    this.#askedAt = performance.now();
    for (const [place, question] of questions.entries()) {
      if (this.#answers.remembered(question) && !(anew && place === 0)) continue;
      const { problem } = await this.#answers.ask(question);
      this.#problem = problem;
      if (problem) break;
    }
    this.#busy = false;
    this.#show();
  }

  #show() {
    const [first] = this.#questions();
    const image = this.#image;
    if (!image || !first) {
      this.#tell(this.#problem);
      return;
    }
    const answer = this.#answers.remembered(first);
    const twin = this.#twin();
    const twins = twin === null ? null : this.#answers.remembered(this.#question(twin, Number.NaN, first.step, image));
    const { layer, frame } = this.#pictures;
    const said = JSON.stringify([first, answer?.step, twins?.step, layer, this.#problem, this.#pinned.images.length]);
    if (said === this.#drawn) return;
    this.#drawn = said;
    const layerArrays = frame?.layers[layer];
    const patches = answer?.expert[layer]
      ? {
          expert: answer.expert[layer],
          blind: answer.expert_blind[layer],
          gate: answer.gate ? answer.gate[layer] : null,
          colour: (/** @type {number} */ e) => {
            const task = layerArrays ? mainTask(layerArrays, e) : null;
            return task === null ? "var(--held)" : ofTask(colours.tasks, task);
          },
        }
      : null;
    this.#grid.show(image.pixels, this.#side, image.name, patches);
    const { hello } = this.#model;
    /** @type {(what: string, guess: Guess | null) => Node[]} */
    const row = (what, guess) => answerRow(what, classOf(hello, image.task, guess), guess);
    this.#says.replaceChildren(
      ...row("with ID", answer?.told ?? null),
      ...row("without", answer?.blind ?? null),
      ...(twin === null ? [] : row("twin, with ID", twins?.told ?? null)),
    );
    this.#tell(this.#problem || asOf(answer?.step ?? null, first.step, this.#answers.known(first)));
    this.#pinned.show(
      this.#side,
      (each) => {
        const found = this.#answers.remembered(this.#question(first.run, first.epoch, first.step, each));
        return classOf(hello, each.task, found?.told ?? null);
      },
      (each) => this.#choose(each),
    );
  }

  /** @param {string} textContent @param {() => void} act */
  #button(textContent, act) {
    const made = element("button", { type: "button", className: "button", textContent });
    made.addEventListener("click", act);
    return made;
  }

  /** @param {string} text */
  #tell(text) {
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }
}
