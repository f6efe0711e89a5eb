// A page for tests: a document with the server's settings, and what a browser has that happy-dom lacks.
// Import it before any module of the page, since those read the settings as they are loaded.

import { readFileSync } from "node:fs";

import { Window } from "happy-dom";

/** @import { PageSettings } from "../../../frontend/assets/lab/core/settings.js" */

/** @type {PageSettings} */
const SETTINGS = {
  statuses: [
    { name: "queued", words: "Waiting for a worker", active: true, mark: "idle" },
    { name: "running", words: "Training", active: true, mark: "running" },
    { name: "finished", words: "Finished", active: false, mark: "idle" },
    { name: "interrupted", words: "Interrupted", active: false, mark: "trouble" },
  ],
  shortcuts: [{ shown: "S", meaning: "one step", action: "step", keys: ["s"] }],
  controls: {
    p_drop: control({ label: "p_drop", low: 0, high: 1, scale: "linear" }),
    lambda_conflict: control({
      label: "λ",
      name: "Conflict weight",
      at_zero: "at 0, L1 rests too",
      low: 0,
      high: 100,
      scale: "log0",
      needs_topology: true,
    }),
    l1: control({ label: "L1", low: 0, high: 1, scale: "log0", needs_topology: true, scaled_by: "lambda_conflict" }),
    lr_ratio: control({ label: "rate ratio", low: 1, high: 20, scale: "log", unit: "×", needs_topology: true }),
  },
  architectures: {
    cdsp: { name: "CDSP-MoE", full: "A CDSP mixture of experts", owns: "each expert owns its weights" },
    standard: { name: "Standard MoE", full: "A standard mixture of experts", owns: "each expert owns its weights" },
  },
  max_seed: 2 ** 31 - 1,
  version: "1.2.3",
};

/**
 * @param {Pick<PageSettings["controls"][string], "label" | "low" | "high" | "scale"> & Partial<PageSettings["controls"][string]>} spec
 */
function control(spec) {
  return {
    name: "",
    short: "",
    gloss: `what ${spec.label} does`,
    at_zero: "",
    ticks: [spec.low, spec.high],
    unit: "",
    doc: `What ${spec.label} does`,
    decades: 4,
    needs_topology: false,
    scaled_by: "",
    ...spec,
  };
}

/** What a canvas was asked to draw: the text of each fillText, and how many shapes were filled. */
export class Drawing {
  /** @type {string[]} */
  texts = [];
  fills = 0;

  /** Everything else a picture calls does nothing. */
  context() {
    const drawing = this;
    return new Proxy(
      {},
      {
        get: (_, name) => {
          if (name === "fillText") return (/** @type {string} */ text) => drawing.texts.push(text);
          if (name === "clearRect") return () => drawing.clear();
          return () => name === "fill" && (drawing.fills += 1);
        },
        set: () => true,
      },
    );
  }

  clear() {
    this.texts = [];
    this.fills = 0;
  }
}

/** The drawing of each canvas. @type {WeakMap<object, Drawing>} */
const drawings = new WeakMap();

/** @param {Element | null} canvas */
export const drawingOf = (canvas) => /** @type {Drawing} */ (drawings.get(/** @type {Element} */ (canvas)));

const page = new Window({ url: "http://127.0.0.1:8000/", width: 1280, height: 800 });

const lacking = {
  ImageData: class {
    /** @param {number} width @param {number} height */
    constructor(width, height) {
      this.data = new Uint8ClampedArray(4 * width * height);
    }
  },
  matchMedia: page.matchMedia.bind(page),
  IntersectionObserver: class {
    observe() {}
    disconnect() {}
  },
  ResizeObserver: class {
    observe() {}
    disconnect() {}
  },
};

for (const name of [
  "document",
  "HTMLElement",
  "HTMLButtonElement",
  "HTMLDialogElement",
  "HTMLSelectElement",
  "Element",
  "Node",
  "Event",
  "KeyboardEvent",
  "MouseEvent",
  "Option",
  "location",
  "history",
  "localStorage",
  "getComputedStyle",
  "innerWidth",
]) {
  Object.defineProperty(globalThis, name, { value: Reflect.get(page, name), configurable: true, writable: true });
}
Object.assign(globalThis, lacking, { window: globalThis });
globalThis.addEventListener = /** @type {any} */ (page.addEventListener.bind(page));
globalThis.dispatchEvent = /** @type {any} */ (page.dispatchEvent.bind(page));

page.HTMLCanvasElement.prototype.getContext = /** @type {any} */ (
  function () {
    // @ts-expect-error a canvas is what this is called on
    const canvas = /** @type {object} */ (this);
    const drawing = new Drawing();
    drawings.set(canvas, drawing);
    return drawing.context();
  }
);
page.Element.prototype.getBoundingClientRect = /** @type {any} */ (
  () => ({ left: 0, top: 0, width: 320, height: 280, right: 320, bottom: 280, x: 0, y: 0 })
);

const sheet = readFileSync(new URL("../../../frontend/assets/tokens.css", import.meta.url), "utf8");

/** The style sheet's tokens of a theme, by name. @param {"light" | "dark"} theme @returns {Record<string, string>} */
export function tokensOf(theme) {
  const [light, dark] = sheet.split(':root[data-theme="dark"]');
  const found = (theme === "dark" ? dark : light).matchAll(/--([\w-]+): (#[0-9a-f]{6});/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
}

/** Give the page a theme's tokens; happy-dom does not load style sheets. @param {"light" | "dark"} theme */
export function wear(theme) {
  const style = Object.entries(tokensOf(theme)).map(([name, value]) => `--${name}: ${value};`);
  page.document.documentElement.setAttribute("style", style.join(" "));
}
wear("light");

/** Begin with an empty body but for what is of the page. @param {string} [html] */
export function freshPage(html = "") {
  document.body.innerHTML = `
    <script type="application/json" id="page-settings"></script>
    <div id="announcer"></div>${html}`;
  const settings = /** @type {HTMLElement} */ (document.getElementById("page-settings"));
  settings.textContent = JSON.stringify(SETTINGS);
}

/** The only element of a selector. @param {string} selector @param {ParentNode} [root] */
export function the(selector, root = document) {
  const found = root.querySelectorAll(selector);
  if (found.length !== 1) throw new Error(`The page must have one ${selector}. Found ${found.length}.`);
  return /** @type {HTMLElement} */ (found[0]);
}

freshPage();
