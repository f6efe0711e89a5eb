"use strict";
// "This run": tasks, sizes and data, from the hello message.
(function (lab) {
  function show(model) {
    const { hello, run } = model;
    const box = document.getElementById("facts");
    if (!hello || !hello.config) {
      box.replaceChildren();
      return;
    }
    const { model: net, train } = hello.config;
    const { count } = lab.format;
    const rows = [
      ["Model", lab.architectures.nameOf(model)],
      ["Experts", hello.experts ? `${hello.experts} a layer, top ${net.top_k}` : "none"],
      ["Layers", String(hello.layers)],
      ["Backbone", hello.dims ? `${count(hello.dims)} dimensions, ${hello.rank} an expert` : ""],
      ["Tokens", `${hello.num_tokens} an image, ${net.patch_size} × ${net.patch_size} pixels`],
      ["Batch", `${count(train.batch_size)} images`],
      ["Data", hello.data ? `${count(hello.data.train)} to train, ${count(hello.data.test)} to test` : ""],
      ["Execution", run.device ? [run.device.execution, run.device.compiled ? "compiled" : "eager"].filter(Boolean).join(", ") : ""],
      ["Run", run.run_id],
    ];
    const list = document.createElement("dl");
    list.className = "facts";
    for (const [term, text] of rows) {
      if (!text) continue;
      const [dt, dd] = ["dt", "dd"].map((tag) => document.createElement(tag));
      dt.textContent = term;
      dd.textContent = text;
      list.append(dt, dd);
    }
    box.replaceChildren(...hello.tasks.map(taskLine), list, downloads(run.run_id));
  }

  function taskLine(task, q) {
    const line = document.createElement("p");
    line.className = "task-line";
    const dot = document.createElement("span");
    dot.className = "task-dot";
    dot.style.background = `var(--task-${q % 3})`;
    const name = document.createElement("b");
    name.textContent = task.label;
    line.title = task.note;
    line.append(dot, name);
    return line;
  }

  /** Every step's scalars and every event, as a file. */
  function downloads(runId) {
    const line = document.createElement("p");
    line.className = "downloads";
    line.append("Download ");
    for (const format of ["csv", "json"]) {
      const link = document.createElement("a");
      link.href = `/api/runs/${encodeURIComponent(runId)}/export?format=${format}`;
      link.download = `${runId}.${format}`;
      link.className = "link";
      link.textContent = format.toUpperCase();
      line.append(link, " ");
    }
    return line;
  }

  lab.facts = { show };
})((window.lab = window.lab || {}));
