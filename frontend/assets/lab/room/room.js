// The room of a class as this page knows it: one socket, what everybody is told, and what was predicted here.

/** @import { Predicted, RoomMessage, RoomSaid, RoomState } from "../core/messages.js" */

const AGAIN_MS = 2000; // for a server that does not answer
const GONE = 4404; // there is no room, or no more

/**
 * @typedef {object} Listeners
 * @property {() => void} changed something of the room is new
 * @property {(reason: string) => void} trouble what was said could not be done, or the room has ended
 *
 * @typedef {object} RoomLesson the lesson that the room is asked
 * @property {boolean} isPresenter whether it is asked from this page, and not of it
 * @property {number} people
 * @property {number} answered
 * @property {number[] | null} counts of each answer; null until they are revealed
 * @property {number | null} chosen what was predicted here
 */

export class Room {
  /** @type {RoomState | null} */
  state = null;
  isPresenter = false;
  /** @type {Predicted | null} */
  #predicted = null;
  /** @type {WebSocket | null} */
  #socket = null;
  #timer = 0;
  #on;

  /** @param {Listeners} on */
  constructor(on) {
    this.#on = on;
  }

  /** Come in, and stay until the room ends. */
  enter() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/room`);
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => {
      this.#socket = null;
      if (code !== GONE) this.#timer = window.setTimeout(() => this.enter(), AGAIN_MS);
    };
    this.#socket = socket;
  }

  /** Say something to the room; who is in none, or may not say it, says nothing. @param {RoomSaid} message */
  say(message) {
    const isOpen = this.state !== null && this.#socket?.readyState === WebSocket.OPEN;
    if (isOpen && this.isPresenter !== (message.type === "predict")) this.#socket?.send(JSON.stringify(message));
  }

  /** What the room knows of a lesson; null where it is not the one that is asked. @param {string} key @returns {RoomLesson | null} */
  lesson(key) {
    const { state, isPresenter } = this;
    if (!state) return null;
    const { people } = state;
    if (state.lesson !== key) {
      return isPresenter ? { isPresenter, people, answered: 0, counts: null, chosen: null } : null;
    }
    const chosen = this.#predicted?.lesson === key ? this.#predicted.answer : null;
    return { isPresenter, people, answered: state.answered, counts: state.counts, chosen };
  }

  /** @param {RoomMessage} message */
  #hear(message) {
    if (message.type === "room") this.state = message;
    else if (message.type === "predicted") this.#predicted = message;
    else if (message.type === "ended") this.state = null;
    if (message.type === "ended" || message.type === "error") this.#on.trouble(message.reason);
    this.#on.changed();
  }
}
