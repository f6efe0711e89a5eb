// The dialog of the class: for a presenter the link into the room, for a viewer the way to where the class is.

import { announce } from "../core/announcer.js";
import { svg } from "../charts/svg.js";
import { element } from "../core/element.js";
import { request } from "../core/requests.js";

/** @import { RoomLinks } from "../core/messages.js" */
/** @import { Room } from "./room.js" */

const COPIED_MS = 2000;
const OF_THIS_MACHINE = ["localhost", "127.0.0.1", "[::1]"];
const ALONE =
  "This page's address is of this machine alone: others reach a server that was started with CDSP_HOST and CDSP_TOKEN.";

export class RoomDialog {
  /** @type {RoomLinks | null} */
  #links = null;
  #people = element("p", { className: "room-people", role: "status" });
  #wrong = element("p", { className: "room-wrong", role: "alert" });
  #wasOpen = false;
  #host;
  #room;
  #act;

  /**
   * @param {HTMLDialogElement} host
   * @param {Room} room
   * @param {{ bring: () => void, join: () => void }} act
   */
  constructor(host, room, act) {
    this.#host = host;
    this.#room = room;
    this.#act = act;
  }

  async open() {
    this.#wrong.textContent = "";
    if (this.#room.state && this.#room.isPresenter) await this.#ask();
    this.#show();
    if (!this.#host.open) this.#host.showModal();
  }

  /** The room has changed. */
  refresh() {
    const { state } = this.#room;
    const isOpen = state !== null;
    if (this.#host.open && isOpen !== this.#wasOpen) this.#show();
    this.#wasOpen = isOpen;
    const text = state ? `${state.people} ${state.people === 1 ? "viewer" : "viewers"} in the room` : "";
    if (this.#people.textContent !== text) this.#people.textContent = text;
  }

  /** What was asked could not be done, or the room has ended. @param {string} reason */
  trouble(reason) {
    this.#wrong.textContent = reason;
    announce(reason);
  }

  #show() {
    const { state, isPresenter } = this.#room;
    const close = button("Close", () => this.#host.close());
    if (!isPresenter) this.#host.replaceChildren(...this.#ofViewer(), this.#wrong, buttons(close, this.#toClass()));
    else if (state && this.#links) {
      const end = button("End the room", () => this.#end());
      this.#host.replaceChildren(...this.#ofPresenter(this.#links), this.#wrong, buttons(end, close));
    } else {
      const begin = button("Open a room", () => this.#begin(), "button-primary");
      this.#host.replaceChildren(...this.#before(), this.#wrong, buttons(close, begin));
    }
  }

  #before() {
    return [
      element("h2", { textContent: "For a class" }),
      element("p", {
        textContent:
          "Open a room and show its link. Who follows it watches with you, scrubs and probes alone, and predicts in lessons: you ask, the room answers, you reveal.",
      }),
      ...this.#alone(),
    ];
  }

  /** @param {RoomLinks} links */
  #ofPresenter({ viewer, presenter, code }) {
    const field = element("input", { readOnly: true, value: viewer, className: "room-link" });
    field.setAttribute("aria-label", "The room's link");
    field.addEventListener("focus", () => field.select());
    const side = `0 0 ${code.modules} ${code.modules}`;
    const drawn = svg("svg", { viewBox: side, role: "img", class: "room-code" }, svg("path", { d: code.path }));
    drawn.setAttribute("aria-label", "The room's link as a QR code");
    return [
      element("h2", { textContent: "The room" }),
      this.#people,
      element("div", { className: "room-row" }, field, this.#copy("Copy link", viewer)),
      ...this.#alone(),
      drawn,
      element(
        "div",
        { className: "room-acts" },
        button("Bring everyone here", () => this.#bring(), "button-primary"),
        this.#copy("Copy a presenter's link", presenter, "Who has it may steer, ask and reveal until the room ends."),
      ),
    ];
  }

  #ofViewer() {
    const text = this.#room.state
      ? "Look around as you like: scrub, probe, choose a lens. Nobody else sees where you are."
      : "There is no room now.";
    return [element("h2", { textContent: "The room" }), this.#people, element("p", { textContent: text })];
  }

  /** The way to where the class is, if it is anywhere. */
  #toClass() {
    const { state } = this.#room;
    if (!state || (state.lesson === null && state.place === null)) return null;
    const go = () => {
      this.#host.close();
      this.#act.join();
    };
    return button("Go where the class is", go, "button-primary");
  }

  #alone() {
    return OF_THIS_MACHINE.includes(location.hostname)
      ? [element("p", { className: "room-alone", textContent: ALONE })]
      : [];
  }

  /** Open the room, or learn the links of the one that is open; whether there is one. */
  async #ask() {
    const answer = await request("POST", "/api/room/start");
    this.#wrong.textContent = answer.reason;
    if (answer.ok) this.#links = answer.body;
    return answer.ok;
  }

  async #begin() {
    if (await this.#ask()) this.#room.enter();
  }

  async #end() {
    const answer = await request("POST", "/api/room/stop");
    this.#wrong.textContent = answer.reason;
    if (answer.ok) this.#host.close();
  }

  #bring() {
    this.#act.bring();
    this.#host.close();
  }

  /**
   * @param {string} text
   * @param {string} link
   * @param {string} [title]
   */
  #copy(text, link, title = "") {
    const copy = button(text, async () => {
      if (!navigator.clipboard) {
        this.trouble("The browser copies on a secure address alone: mark the link and copy it."); // plain http
        return;
      }
      await navigator.clipboard.writeText(link);
      announce("The link is copied.");
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = text), COPIED_MS);
    });
    copy.title = title;
    return copy;
  }
}

/** @param {string} text @param {() => void} act @param {string} [kind] */
function button(text, act, kind = "") {
  const made = element("button", { type: "button", className: `button ${kind}`.trim(), textContent: text });
  made.addEventListener("click", act);
  return made;
}

/** @param {...(Node | null)} content */
const buttons = (...content) => element("div", { className: "dialog-buttons" }, ...content);
