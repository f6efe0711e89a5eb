// The class on this page: its button in the header, and going where the presenter brings everybody.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { RoomDialog } from "./dialog.js";
import { Room } from "./room.js";

/** @import { Asker } from "../core/messages.js" */

/**
 * @typedef {object} Page what the class does to it
 * @property {() => string} here what stands behind # in a link to what is looked at
 * @property {(place: string) => void} go
 * @property {(key: string) => Promise<void>} lesson opens one
 * @property {() => void} changed something of the room is new
 */

export class Classroom {
  /** The lesson that was asked last, and how often everybody was brought somewhere, as far as this page has followed. */
  #followed = { lesson: /** @type {string | null} */ (null), calls: 0 };
  #isIn = false;
  #count = element("span", { className: "class-count" });
  #button;
  #page;
  #isFresh;
  #isAsked = false;

  /**
   * @param {{ button: HTMLElement, dialog: HTMLDialogElement }} elements
   * @param {Page} page
   * @param {boolean} isFresh whether its address names nothing, so that it goes where the class is at once
   */
  constructor({ button, dialog }, page, isFresh) {
    this.#button = button;
    this.#page = page;
    this.#isFresh = isFresh;
    this.room = new Room({ changed: () => this.#changed(), trouble: (reason) => this.dialog.trouble(reason) });
    this.dialog = new RoomDialog(dialog, this.room, { bring: () => this.#bring(), join: () => this.join() });
    button.append(this.#count);
    button.hidden = true; // until it is known who asks
    button.addEventListener("click", () => this.dialog.open());
  }

  /** Come in where a room is open; who may only watch has no button without one. @param {Asker} asker */
  enter({ role, room }) {
    this.#button.hidden = role === "viewer" && !room;
    this.room.isPresenter = role === "presenter";
    if (room) this.room.enter();
    if (this.#isAsked) this.dialog.open();
    this.#isAsked = false;
  }

  /** Open the dialog as soon as it is known who asks. */
  ask() {
    this.#isAsked = true;
  }

  /** Go where the class is: to the question that is asked, and then to where everybody was brought. */
  async join() {
    const { state } = this.room;
    if (!state) return;
    if (state.lesson !== null) await this.#page.lesson(state.lesson);
    if (state.place !== null) this.#page.go(state.place);
  }

  #bring() {
    this.room.say({ type: "bring", place: this.#page.here() });
    announce("Everybody is brought here.");
  }

  #changed() {
    const { state, isPresenter } = this.room;
    const text = state ? String(state.people) : "";
    if (this.#count.textContent !== text) {
      this.#count.textContent = text;
      this.#button.setAttribute("aria-label", text ? `For a class: ${text} in the room` : "For a class");
    }
    if (state && !isPresenter) this.#follow(state);
    this.#isIn = state !== null;
    this.#button.closest("[data-run-view]")?.classList.toggle("is-in-room", this.#isIn);
    this.#page.changed();
    this.dialog.refresh();
  }

  /** @param {import("../core/messages.js").RoomState} state */
  #follow({ lesson, calls, place }) {
    const before = this.#followed;
    this.#followed = { lesson, calls };
    if (!this.#isIn && !this.#isFresh) return; // who came by a link of its own goes there
    if (lesson !== null && lesson !== before.lesson) this.join();
    else if (place !== null && calls > before.calls) {
      this.#page.go(place);
      announce("The presenter has brought you here.");
    }
  }
}
