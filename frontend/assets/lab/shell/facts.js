// "About this run": tasks, sizes and data, from the hello message.

import { architectureOf } from "../core/architectures.js";
import { colours } from "../core/colours.js";
import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { editsInWords } from "../core/recipe.js";

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
    ["Experts", hello.experts ? `${hello.experts} a layer, ${net.top_k} for each patch` : "none"],
    ["Layers", String(hello.layers)],
    ["Backbone", hello.dims ? `${count(hello.dims)} dimensions, ${hello.rank} an expert` : ""],
    ["Tokens", `${hello.num_tokens} an image, ${net.patch_size} × ${net.patch_size} pixels`],
    ["Batch", `${count(train.batch_size)} images`],
    ["Data", hello.data ? `${count(hello.data.train)} to train, ${count(hello.data.test)} to test` : ""],
    ["Own data", train.dataset ?? ""],
    ["Recipe", hello.edits?.length ? editsInWords(hello.edits) : ""],
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
