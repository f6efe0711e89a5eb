// "Take away": a link, pictures and the chart, the film, the data, and all of a run as one file; each with its caption.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { decodeArrays } from "../core/frames.js";
import { recordedName } from "../core/recorded.js";
import { reached, runPath } from "../core/requests.js";
import { captionOf } from "./caption.js";
import { canvasOf, figureOf, pngOf, rastered, svgOf, svgOfChart } from "./figure.js";
import { movingOf, stripOf } from "./film_files.js";

/** @import { RunEvent } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */
/** @import { Pictures } from "../pictures/pictures.js" */

const COPIED_MS = 2000;
/** Names in files are those of the wire; the page counts as people do. */
const FROM_ZERO = "Files count layers from 0: layer0 is layer 1 here. Experts E0 and blocks B0 are alike.";

/**
 * @typedef {object} Shown what the page shows
 * @property {Pictures} pictures
 * @property {() => RunEvent[]} events of the run shown
 * @property {() => SVGElement | null} chart
 * @property {() => string} chartTitle
 * @property {() => string} link to what is shown
 */

export class Take {
  #box;
  #model;
  #shown;
  #note = element("p", { className: "note take-note" });

  /**
   * @param {HTMLElement} box
   * @param {Model} model
   * @param {Shown} shown
   */
  constructor(box, model, shown) {
    this.#box = box;
    this.#model = model;
    this.#shown = shown;
    this.#note.setAttribute("aria-live", "polite");
  }

  /** Offer what there is of the run shown. */
  refresh() {
    const runId = this.#model.run?.run_id ?? "";
    if (this.#box.dataset.run === runId) return;
    this.#box.dataset.run = runId;
    if (!runId) {
      this.#box.replaceChildren();
      return;
    }
    const recorded = recordedName(runId);
    const path = runPath(runId);
    const files =
      recorded === null
        ? [
            file(`${path}/export?format=csv`, `${runId}.csv`, "CSV"),
            file(`${path}/parquet`, `${runId}.parquet`, "Parquet"),
            file(`${path}/export?format=json`, `${runId}.json`, "JSON"),
            file(`${path}/recording`, `${runId}.recording`, "The recipe and its film, a file"),
            file(`${path}/page`, `${runId}.html`, "One HTML file"),
          ]
        : [
            file(`${path}/recording`, `${recorded}.recording`, "The recording, a file"),
            file(`${path}/page`, `${recorded}.html`, "One HTML file"),
          ];
    this.#box.replaceChildren(
      this.#copyButton(),
      fold("figure", "Figure", this.#figures()),
      fold("film", "Film", [
        this.#button("strip", "PNG strip", () => this.#film("png")),
        this.#button("gif", "GIF", () => this.#film("gif")),
        this.#button("mp4", "MP4", () => this.#mp4()),
      ]),
      fold("data", "Data", [...files, element("p", { className: "note take-about", textContent: FROM_ZERO })]),
      this.#note,
    );
  }

  get #caption() {
    const { hello } = this.#model;
    const step = this.#shown.pictures.frame?.step ?? 0;
    return hello ? captionOf(hello, this.#shown.events(), step) : "";
  }

  get #name() {
    const step = this.#shown.pictures.frame?.step ?? 0;
    return `${(this.#model.run?.run_id ?? "run").replace(":", "-")}-step-${step}`;
  }

  #copyButton() {
    const copy = element(
      "button",
      { type: "button", className: "button", dataset: { take: "link" } },
      icon("link"),
      "Copy link",
    );
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.#shown.link());
      announce("The link is copied.");
      copy.lastChild?.replaceWith("Copied");
      setTimeout(() => copy.lastChild?.replaceWith("Copy link"), COPIED_MS);
    });
    return copy;
  }

  #figures() {
    const rows = this.#shown.pictures.panels.map((panel) => {
      const { name, title, lens } = panel.picture;
      return this.#figureRow(name, lens === "threads" ? "Threads" : title, (kind) => this.#picture(name, kind));
    });
    return [...rows, this.#figureRow("chart", "Chart", (kind) => this.#chart(kind))];
  }

  /** @param {string} name @param {string} title @param {(kind: "svg" | "png") => Promise<void>} take */
  #figureRow(name, title, take) {
    const svg = this.#button(`${name}-svg`, "SVG", () => take("svg"));
    const png = this.#button(`${name}-png`, "PNG", () => take("png"));
    svg.setAttribute("aria-label", `${title} as SVG`);
    png.setAttribute("aria-label", `${title} as PNG`);
    return element("div", { className: "take-row" }, element("span", { textContent: title }), svg, png);
  }

  /** @param {string} name @param {"svg" | "png"} kind */
  async #picture(name, kind) {
    const { layer } = this.#shown.pictures;
    const taken = this.#shown.pictures.toTake(name);
    if (!taken) throw new Error(`There is no picture of ${name}: what is shown does not hold it.`);
    const { matrix, picture, size } = taken;
    const { width, height } = size;
    const title = `${picture.title}, layer ${layer + 1}: ${picture.subtitle}`;
    const drawn = figureOf(matrix, { width, height, title, caption: this.#caption });
    if (kind === "svg") save(new Blob([svgOf(drawn)], { type: "image/svg+xml" }), `${this.#name}-${name}.svg`);
    else save(await pngOf(canvasOf(drawn)), `${this.#name}-${name}.png`);
  }

  /** @param {"svg" | "png"} kind */
  async #chart(kind) {
    const chart = this.#shown.chart();
    if (!chart) throw new Error("There is no chart at the moment.");
    const text = svgOfChart(chart, this.#shown.chartTitle(), this.#caption);
    if (kind === "svg") save(new Blob([text], { type: "image/svg+xml" }), `${this.#name}-chart.svg`);
    else save(await pngOf(await rastered(text)), `${this.#name}-chart.png`);
  }

  /** @param {"png" | "gif"} kind */
  async #film(kind) {
    const { run, hello } = this.#model;
    const { layer } = this.#shown.pictures;
    const response = run && (await reached(`${runPath(run.run_id)}/film?count=48`));
    if (!hello || !response?.ok || response.status === 204) throw new Error("The run has no film yet.");
    const { arrays } = decodeArrays(await response.arrayBuffer());
    const [steps, pictures] = [arrays.get("steps"), arrays.get(`layer${layer}/connection`)];
    if (!steps || !pictures) throw new Error("A model without A has no film.");
    const caption = `${this.#caption} · layer ${layer + 1}`;
    const film = { steps: steps.data, pictures, experts: hello.experts, caption };
    if (kind === "png") save(await pngOf(stripOf(film)), `${this.#name}-film.png`);
    else save(new Blob([movingOf(film)], { type: "image/gif" }), `${this.#name}-film.gif`);
  }

  /** The server encodes it: a browser alone cannot everywhere. */
  async #mp4() {
    const { run } = this.#model;
    if (!run) throw new Error("The run has no film yet.");
    const theme = document.documentElement.dataset.theme === "dark" ? "dark" : "light";
    const query = `layer=${this.#shown.pictures.layer + 1}&theme=${theme}`;
    const response = await reached(`${runPath(run.run_id)}/film.mp4?${query}`);
    if (!response) throw new Error("The server does not answer.");
    if (!response.ok) throw new Error((await response.json()).error);
    save(await response.blob(), `${this.#name}-film.mp4`);
  }

  /** @param {string} name @param {string} text @param {() => Promise<void>} act */
  #button(name, text, act) {
    const made = element("button", { type: "button", className: "button", textContent: text, dataset: { take: name } });
    made.addEventListener("click", async () => {
      made.disabled = true;
      this.#note.textContent = "";
      try {
        await act();
        announce(`${made.getAttribute("aria-label") ?? text}: saved.`);
      } catch (error) {
        this.#note.textContent = error instanceof Error ? error.message : String(error);
        this.#note.scrollIntoView({ block: "nearest" }); // the panel may be longer than the window
      }
      made.disabled = false;
    });
    return made;
  }
}

/** Hand a file over to the browser. @param {Blob} blob @param {string} name */
function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** @param {string} name @param {string} text @param {Node[]} content */
function fold(name, text, content) {
  const summary = element("summary", { className: "button" }, icon("save"), text);
  const made = element("details", { className: "take-fold", dataset: { takes: name } }, summary);
  made.append(element("div", { className: "take-choices" }, ...content));
  made.name = "take"; // one of them is open at a time
  return made;
}

/** @param {string} href @param {string} download @param {string} text */
const file = (href, download, text) => element("a", { href, download, className: "button" }, icon("save"), text);

/** @param {string} name */
const icon = (name) => element("span", { className: `icon icon-${name}` });
