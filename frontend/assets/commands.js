"use strict";
// Requests to the server. Every answer is {ok, status, body}; `reason` is one sentence when it is not ok.
(function (lab) {
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function request(method, path, body) {
    let response;
    try {
      response = await fetch(path, {
        method,
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body ? JSON.stringify(body) : undefined,
      });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch says TypeError when the server is away
      return { ok: false, status: 0, body: {}, reason: "The server does not answer. Nothing was changed." };
    }
    const isJson = (response.headers.get("Content-Type") || "").includes("json");
    const content = isJson ? await response.json() : {};
    const refused = content.status === "rejected";
    const ok = response.ok && !refused;
    const reason = ok ? null : content.error || content.reason || `The server answered ${response.status}.`;
    return { ok, status: response.status, body: content, reason };
  }

  class Commands {
    constructor(model) {
      this.model = model;
      this.last = Promise.resolve();
    }

    /** Send one command; they leave one after the other, so that each knows the revision the one before made. */
    send(type, fields = {}) {
      const result = this.last.then(() => this.#post(type, fields));
      this.last = result.catch(() => undefined);
      return result;
    }

    async #post(type, fields) {
      const run = this.model.run;
      if (!run) return { ok: false, status: 0, body: {}, reason: "There is no run to steer." };
      const command = { command_id: newId(), type, ...fields };
      if (type === "set") command.base_revision = run.revision;
      const result = await request("POST", `/api/runs/${encodeURIComponent(run.run_id)}/commands`, command);
      const { revision, controls } = result.body;
      if (this.model.run && this.model.run.run_id === run.run_id) {
        if (typeof revision === "number") this.model.run.revision = Math.max(this.model.run.revision, revision);
        if (result.status === 409 && controls) this.model.run.controls = controls;
      }
      return result;
    }
  }

  lab.request = request;
  lab.Commands = Commands;
})((window.lab = window.lab || {}));
