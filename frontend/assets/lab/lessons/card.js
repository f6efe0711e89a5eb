// The lesson card: two sentences and a question, then what happened, over how many seeds, and the claim's verdict.
// In a room the server counts predictions, and what happened is shown to all once the presenter reveals it.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { request } from "../core/requests.js";
import { Answers } from "./answers.js";
import { dots } from "./dots.js";
import { note } from "./progress.js";

const ABOVE_PX = 12; // what is seen above the answers

/** @import { Room, RoomLesson } from "../room/room.js" */
/** @import { Lesson, Look } from "./told.js" */

/**
 * @typedef {object} Lab what a lesson does to the page
 * @property {(look: Look, step: number | null) => void} move stands at a step of its runs; null for the last
 * @property {() => void} startLive asks for a run from the settings of the one shown
 * @property {(key: string | null) => void} addressed what a link to the lesson says
 */

export class LessonCard {
  /** @type {Lesson[]} */
  #lessons = [];
  /** @type {Lesson | null} */
  #lesson = null;
  /** The place of what was predicted here. @type {number | null} */
  #chosen = null;
  #isTold = false;
  /** The lesson as the room has it; null outside a room. @type {RoomLesson | null} */
  #asked = null;
  /** @type {Answers | null} */
  #answers = null;
  #host;
  #lab;
  #room;

  /**
   * @param {HTMLElement} host
   * @param {Lab} lab
   * @param {Pick<Room, "lesson" | "say">} room
   */
  constructor(host, lab, room) {
    this.#host = host;
    this.#lab = lab;
    this.#room = room;
  }

  get isOn() {
    return !this.#host.hidden;
  }

  /** The lesson that is open, by its key. */
  get key() {
    return this.#lesson?.key ?? null;
  }

  /** Begin a lesson; a presenter asks it of the room. @param {string} key */
  async open(key) {
    if (!this.#lessons.length) {
      const answer = await request("GET", "/lessons/lessons.json");
      if (!answer.ok) {
        this.#say(answer.reason);
        return;
      }
      this.#lessons = answer.body.lessons;
    }
    const lesson = this.#lessons.find((each) => each.key === key);
    if (!lesson) {
      this.#say(`There is no lesson “${key.slice(0, 60)}” here.`);
      return;
    }
    this.#lesson = lesson;
    this.#chosen = null;
    this.#isTold = false;
    this.#lab.addressed(key);
    note(key, "half");
    this.#room.say({ type: "ask", lesson: key });
    this.#asked = this.#room.lesson(key);
    this.#show();
    this.#lab.move(lesson.look, lesson.look.begin);
    announce(`Lesson ${lesson.place} of ${lesson.of}: ${lesson.title}`);
    this.follow();
  }

  /** Put the card away; the Lab stays where it is. A presenter's question is asked no more. */
  close() {
    if (!this.isOn) return;
    this.#lesson = null;
    this.#setOn(false);
    this.#lab.addressed(null);
    this.#room.say({ type: "ask", lesson: null });
  }

  /** The room has changed: so do the counts, and perhaps what is shown. */
  follow() {
    const lesson = this.#lesson;
    if (!lesson) return;
    const before = this.#asked;
    const asked = (this.#asked = this.#room.lesson(lesson.key));
    if (before === null && asked?.isPresenter && !this.#isTold) this.#room.say({ type: "ask", lesson: lesson.key });
    if (asked?.isPresenter === false) this.#chosen = asked.chosen;
    if (asked?.counts && !this.#isTold) this.#reveal();
    else if ((before === null) !== (asked === null)) this.#show();
    else this.#answers?.show(this.#state);
  }

  /** @param {boolean} isOn @param {boolean} [isAsking] what would tell the answer is not shown yet */
  #setOn(isOn, isAsking = false) {
    this.#host.hidden = !isOn;
    const view = this.#host.closest("[data-run-view]");
    view?.classList.toggle("has-lesson", isOn);
    view?.classList.toggle("is-asking", isOn && isAsking);
  }

  /** What is shown of the answers. */
  get #state() {
    return { chosen: this.#chosen, right: this.#isTold ? (this.#lesson?.right ?? 0) : null, asked: this.#asked };
  }

  /** One's own prediction is answered at once; that of somebody in a room is counted. @param {number} place */
  #predict(place) {
    const lesson = this.#lesson;
    if (!lesson || this.#isTold || this.#asked?.isPresenter) return;
    if (this.#asked) {
      this.#room.say({ type: "predict", lesson: lesson.key, answer: place });
      return;
    }
    this.#chosen = place;
    this.#reveal();
  }

  /** What happened, beside what was predicted; then the Lab goes to the moment. */
  #reveal() {
    const lesson = this.#lesson;
    if (!lesson) return;
    this.#isTold = true;
    this.#show();
    note(lesson.key, "done");
    const was =
      this.#chosen === null
        ? ""
        : this.#chosen === lesson.right
          ? "That is what happened. "
          : "Something else happened. ";
    announce(`${was}${lesson.answers[lesson.right]}. ${lesson.after}`);
    this.#lab.move(lesson.look, lesson.look.moment);
  }

  #show() {
    const lesson = this.#lesson;
    if (!lesson) return;
    this.#answers = new Answers(lesson.answers, (place) => this.#predict(place));
    this.#host.replaceChildren(
      this.#head(`Lesson ${lesson.place} of ${lesson.of}`),
      element("h2", { textContent: lesson.title, tabIndex: -1 }),
      element("p", { textContent: lesson.before }),
      element("p", { className: "lesson-ask", textContent: lesson.ask }),
      ...this.#answers.elements,
      ...(this.#isTold ? this.#told(lesson) : []),
      this.#foot(lesson),
    );
    this.#answers.show(this.#state);
    this.#setOn(true, !this.#isTold);
    if (this.#isTold) this.#answers.focus();
    this.#scroll(this.#answers.elements[0]);
  }

  /** A card too low for all of it begins with its question, or with the answers once they are told. @param {Element} answers */
  #scroll(answers) {
    this.#host.scrollTop = 0;
    const above = answers.getBoundingClientRect().top - this.#host.getBoundingClientRect().top;
    if (this.#isTold) this.#host.scrollTop = above - ABOVE_PX;
  }

  /** @param {string} text */
  #head(text) {
    const icon = element("span", { className: "icon icon-close" });
    const close = element("button", { type: "button", className: "icon-button", title: "End the lesson" }, icon);
    close.setAttribute("aria-label", "End the lesson");
    close.addEventListener("click", () => this.close());
    return element("div", { className: "panel-head lesson-head" }, element("span", { textContent: text }), close);
  }

  /** The answer in words, its seeds and the claim. @param {Lesson} lesson */
  #told(lesson) {
    const { claim, groups, unit } = lesson;
    const seeds = [...new Set(groups.map(({ values }) => values.length))].join(" and ");
    const isOne = groups.every(({ values }) => values.length === 1);
    const under = `${unit}, ${seeds} recorded ${isOne ? "seed" : "seeds"}${groups.length > 1 ? " of each" : ""}`;
    return [
      element("p", { className: "lesson-after", textContent: lesson.after }),
      element("p", { className: "lesson-under", textContent: under }),
      dots(lesson),
      element(
        "p",
        { className: "headline lesson-claim" },
        element("a", {
          href: claim.address,
          className: "headline-text",
          textContent: claim.text,
          title: claim.measured,
        }),
        element("b", { textContent: claim.verdict, dataset: { tone: claim.tone } }),
      ),
    ];
  }

  /** @param {Lesson} lesson */
  #foot(lesson) {
    const all = element("a", { href: "/lessons", className: "button", textContent: "All lessons" });
    const foot = element("div", { className: "lesson-foot" }, all);
    const { next: key } = lesson;
    if (!this.#isTold && this.#asked?.isPresenter) {
      foot.append(primary("Reveal", () => this.#room.say({ type: "reveal", lesson: lesson.key })));
    }
    if (!this.#isTold || this.#asked?.isPresenter === false) return foot;
    const live = element("button", { type: "button", className: "button", textContent: "Start it live…" });
    live.title = "Asks for a run from the settings of the recorded one";
    live.addEventListener("click", () => this.#lab.startLive());
    foot.append(live);
    if (key !== null) foot.append(primary("Next lesson", () => this.open(key)));
    return foot;
  }

  /** @param {string} sentence */
  #say(sentence) {
    const all = element("a", { href: "/lessons", className: "button", textContent: "All lessons" });
    this.#host.replaceChildren(
      this.#head("Lesson"),
      element("p", { role: "alert", textContent: sentence }),
      element("div", { className: "lesson-foot" }, all),
    );
    this.#setOn(true);
  }
}

/** @param {string} text @param {() => void} act */
function primary(text, act) {
  const button = element("button", { type: "button", className: "button button-primary", textContent: text });
  button.addEventListener("click", act);
  return button;
}
