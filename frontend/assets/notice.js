"use strict";
// What the centre says when there is nothing to draw: no run, a dead link, no server.
(function (lab) {
  class Notice {
    /** `actions`: {startLive, openNewest}. */
    constructor(actions) {
      this.box = document.getElementById("notice");
      this.actions = actions;
    }

    hide() {
      this.box.hidden = true;
    }

    noRun() {
      this.#show("No run yet", "Start one and watch its topology form. The first picture takes a few seconds.", ["start"]);
    }

    deadLink(runId) {
      this.#show("No such run", `There is no run “${runId.slice(0, 40)}” here. It may have been removed, or the link is from another machine.`, ["newest", "start"]);
    }

    noServer(reason) {
      this.#show("No server", reason, []);
    }

    #show(title, text, buttons) {
      if (!this.box.hidden && this.shown === title + text) return; // leave the focus where it is
      this.shown = title + text;
      const [head, words] = ["h2", "p"].map((tag) => document.createElement(tag));
      head.textContent = title;
      words.textContent = text;
      const known = {
        start: ["Start the live run", "button button-primary", this.actions.startLive],
        newest: ["Show the newest run", "button", this.actions.openNewest],
      };
      const made = buttons.map((name) => {
        const [label, className, act] = known[name];
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: label, className });
        button.addEventListener("click", act);
        return button;
      });
      this.box.replaceChildren(head, words, ...made);
      this.box.hidden = false;
    }
  }

  lab.Notice = Notice;
})((window.lab = window.lab || {}));
