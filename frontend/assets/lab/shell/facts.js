// "About this run": tasks, sizes and data, from the hello message; and what can be taken away of it.

import { announce } from "../core/announcer.js";
import { architectureOf } from "../core/architectures.js";
import { colours } from "../core/colours.js";
import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { recordedName } from "../core/recorded.js";
import { runPath } from "../core/requests.js";

const COPIED_MS = 2000;

/** @import { Hello, RunConfig, Task } from "../core/messages.js" */
/** @import { Run } from "../core/told.js" */
/** @import { Model } from "../core/model.js" */

/**
 * @param {HTMLElement} box
 * @param {Model} model
 */
export function showFacts(box, model) {
  const { hello, run } = model;
  if (!hello?.config || !run) {
    box.replaceChildren();
    return;
  }
  const list = element("dl", { className: "facts" });
  for (const [term, text] of rowsOf(hello, hello.config, run, architectureOf(model).name)) {
    if (text) list.append(element("dt", { textContent: term }), element("dd", { textContent: text }));
  }
  box.replaceChildren(...hello.tasks.map(taskLine), list);
}

/**
 * @param {Hello} hello
 * @param {RunConfig} config
 * @param {Run} run
 * @param {string} name
 * @returns {[string, string][]}
 */
function rowsOf(hello, { model: net, train }, { device, run_id }, name) {
  const execution = device ? [device.execution, device.compiled ? "compiled" : "eager"] : [];
  return [
    ["Model", name],
    ["Experts", hello.experts ? `${hello.experts} a layer, top ${net.top_k}` : "none"],
    ["Layers", String(hello.layers)],
    ["Backbone", hello.dims ? `${count(hello.dims)} dimensions, ${hello.rank} an expert` : ""],
    ["Tokens", `${hello.num_tokens} an image, ${net.patch_size} × ${net.patch_size} pixels`],
    ["Batch", `${count(train.batch_size)} images`],
    ["Data", hello.data ? `${count(hello.data.train)} to train, ${count(hello.data.test)} to test` : ""],
    ["Execution", execution.filter(Boolean).join(", ")],
    ["Run", run_id],
  ];
}

/**
 * @param {Task} task
 * @param {number} q
 */
function taskLine(task, q) {
  const dot = element("span", { className: "task-dot" });
  dot.style.background = `var(--task-${q % colours.tasks.length})`;
  const name = element("span", {}, element("b", { textContent: task.label }), ` ${task.note}`);
  return element("p", { className: "task-line" }, dot, name);
}

/**
 * What can be taken away: a link to what is shown, every step's scalars and every event as a file.
 *
 * @param {HTMLElement} box
 * @param {string | null} runId
 * @param {() => string} link to what is shown: the run, its recipe and the moment
 */
export function showTakeAway(box, runId, link) {
  if (box.dataset.run === (runId ?? "")) return;
  box.dataset.run = runId ?? "";
  if (runId === null) {
    box.replaceChildren();
    return;
  }
  const copy = element("button", { type: "button", className: "button" }, icon("link"), "Copy link");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link());
    announce("The link is copied.");
    copy.lastChild?.replaceWith("Copied");
    setTimeout(() => copy.lastChild?.replaceWith("Copy link"), COPIED_MS);
  });
  const recorded = recordedName(runId);
  const files =
    recorded === null
      ? ["csv", "json"].map((format) => file(`${runPath(runId)}/export?format=${format}`, `${runId}.${format}`, format))
      : [file(`${runPath(runId)}/recording`, `${recorded}.recording`, "recording")];
  box.replaceChildren(copy, ...files);
}

/** A file to take away. @param {string} href @param {string} download @param {string} kind */
function file(href, download, kind) {
  const text = kind.length > 4 ? "The recording, a file" : kind.toUpperCase();
  return element("a", { href, download, className: "button" }, icon("save"), text);
}

/** @param {string} name */
const icon = (name) => element("span", { className: `icon icon-${name}` });
