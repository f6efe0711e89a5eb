// Which data the next run learns: the three built-in sets, or a set of own data, with what the model sees of it.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { pixelCanvas } from "../core/pixels.js";
import { request } from "../core/requests.js";

/** @import { OwnSetInfo, OwnSetShown, OwnSets } from "../core/messages.js" */
/** @import { Parts } from "../core/parts.js" */

const SIDE = 28;
const BUILT_IN = "MNIST, kana, Fashion";
const NOT_READ = "read:"; // before a source in the list
const MOST_CLASSES = 6; // that are named with their counts

export class DataChoice {
  #select;
  #shown;
  #note;
  /** @type {OwnSetInfo[]} */
  #sets = [];
  #asked = 0;
  #patches;

  /**
   * @param {Parts} parts
   * @param {() => number} patches along a side of an image, of the run that would be started
   */
  constructor(parts, patches) {
    this.#patches = patches;
    this.#select = parts.select("data");
    this.#shown = parts.find("data-shown");
    this.#note = parts.find("data-note");
    this.#select.addEventListener("change", () => this.#chosen());
  }

  /** The set that is chosen; null for the built-in ones. */
  get dataset() {
    const { value } = this.#select;
    return value && !value.startsWith(NOT_READ) ? value : null;
  }

  /**
   * Ask what there is, and choose the built-in sets, or the set that is named.
   *
   * @param {string} [reference]
   * @param {boolean} [isFixed] whether nothing else can be chosen, as a recipe names its data
   */
  async open(reference = "", isFixed = false) {
    const asked = (this.#asked += 1);
    this.#say("", false);
    this.#shown.replaceChildren();
    const answer = await request("GET", "/api/datasets");
    if (this.#asked !== asked) return;
    this.#offer(answer.ok ? answer.body : { datasets: [], sources: [], refused: [] });
    this.#select.disabled = isFixed;
    const [name] = reference.split("@");
    const known = this.#sets.find((each) => each.name === name);
    if (reference && (!known || known.reference !== reference)) {
      const here = known ? `here is ${known.reference}, another one` : "it is not here";
      this.#say(`The recipe wants the data set ${reference}: ${here}.`, true);
    } else if (known) {
      this.#select.value = known.name;
      this.#chosen();
    }
  }

  /** @param {OwnSets} found */
  #offer({ datasets, sources, refused }) {
    this.#sets = datasets;
    const unread = sources.map((source) =>
      element("option", { value: `${NOT_READ}${source}`, textContent: `${source}: not read yet` }),
    );
    this.#select.replaceChildren(
      element("option", { value: "", textContent: BUILT_IN }),
      ...datasets.map(({ name }) => element("option", { value: name, textContent: name })),
      ...unread,
    );
    this.#select.value = "";
    if (refused.length) this.#say(refused[0], true);
  }

  async #chosen() {
    this.#say("", false);
    this.#shown.replaceChildren();
    const { value } = this.#select;
    if (value.startsWith(NOT_READ)) {
      await this.#read(value.slice(NOT_READ.length));
      return;
    }
    if (!value) return;
    const answer = await request("GET", `/api/datasets/${encodeURIComponent(value)}`);
    if (this.#select.value !== value) return;
    if (answer.ok) this.#show(answer.body);
    else this.#say(answer.reason, true);
  }

  /** Have the server read a source, and choose the set that it made of it. @param {string} source */
  async #read(source) {
    this.#say(`Reading ${source}: 28 by 28 grey pixels are made of each image…`, false);
    this.#select.disabled = true;
    const answer = await request("POST", "/api/datasets", { name: nameOf(source), source });
    this.#select.disabled = false;
    if (!answer.ok) {
      this.#select.value = "";
      this.#say(answer.reason, true);
      return;
    }
    await this.open(answer.body.reference);
  }

  /** What the model sees of each task, and how many images each class has. @param {OwnSetShown} set */
  #show({ tasks, images }) {
    const rows = tasks.map(({ name, class_names: classes, train, test }, q) => {
      const own = images.filter(({ task }) => task === q);
      const swatch = element("span", { className: "task-swatch" });
      swatch.style.background = `var(--task-${q})`;
      const sum = (/** @type {number[]} */ counts) => count(counts.reduce((a, b) => a + b, 0));
      const balance = classes.slice(0, MOST_CLASSES).map((each, label) => `${each} ${count(train[label])}`);
      const more = classes.length > MOST_CLASSES ? ` and ${classes.length - MOST_CLASSES} more classes` : "";
      const [least, most] = [Math.min(...train), Math.max(...train)];
      const even = least === most ? "" : `; from ${count(least)} to ${count(most)} a class`;
      return element(
        "div",
        { className: "data-task" },
        element(
          "p",
          {},
          swatch,
          element("b", { textContent: name }),
          ` ${sum(train)} to train on, ${sum(test)} to test`,
        ),
        element(
          "div",
          { className: "data-images" },
          ...own.map(({ label, pixels }) =>
            element("span", {}, pixelCanvas(bytesOf(pixels), SIDE, `${name}: ${classes[label]}`)),
          ),
        ),
        element("p", { className: "data-balance", textContent: `${balance.join(", ")}${more}${even}` }),
      );
    });
    const patches = this.#patches();
    this.#shown.style.setProperty("--patches", String(patches));
    const said = `What the model sees: 28 by 28 grey pixels, cut into ${patches} by ${patches} patches.`;
    this.#shown.replaceChildren(element("p", { textContent: said }), ...rows);
  }

  /** @param {string} text @param {boolean} isWrong */
  #say(text, isWrong) {
    this.#note.textContent = text;
    this.#note.classList.toggle("is-wrong", isWrong);
  }
}

/** A name that a set may have, made of a source's. @param {string} source */
export function nameOf(source) {
  const plain = source
    .toLowerCase()
    .replace(/\.npz$/, "")
    .replaceAll(/[^a-z0-9_-]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "");
  return (plain || "own").slice(0, 32);
}

/** @param {string} text base64 */
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
