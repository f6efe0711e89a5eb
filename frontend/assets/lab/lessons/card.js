// The lesson card: two sentences and a question, then what happened, over how many seeds, and the claim's verdict.

import { announce } from "../core/announcer.js";
import { element } from "../core/element.js";
import { request } from "../core/requests.js";
import { dots } from "./dots.js";
import { note } from "./progress.js";

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
  #host;
  #lab;

  /**
   * @param {HTMLElement} host
   * @param {Lab} lab
   */
  constructor(host, lab) {
    this.#host = host;
    this.#lab = lab;
  }

  get isOn() {
    return !this.#host.hidden;
  }

  /** Begin a lesson. @param {string} key */
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
    this.#lab.addressed(key);
    note(key, "half");
    this.#show(lesson, null);
    this.#lab.move(lesson.look, lesson.look.begin);
    announce(`Lesson ${lesson.place} of ${lesson.of}: ${lesson.title}`);
  }

  /** Put the card away; the Lab stays where it is. */
  close() {
    if (!this.isOn) return;
    this.#lesson = null;
    this.#setOn(false);
    this.#lab.addressed(null);
  }

  /** @param {boolean} isOn @param {boolean} [isAsking] what would tell the answer is not shown yet */
  #setOn(isOn, isAsking = false) {
    this.#host.hidden = !isOn;
    const view = this.#host.closest("[data-run-view]");
    view?.classList.toggle("has-lesson", isOn);
    view?.classList.toggle("is-asking", isOn && isAsking);
  }

  /** What happened, beside what was predicted; then the Lab goes to the moment. @param {number} chosen */
  #reveal(chosen) {
    const lesson = this.#lesson;
    if (!lesson) return;
    this.#show(lesson, chosen);
    note(lesson.key, "done");
    const was = chosen === lesson.right ? "That is what happened." : "Something else happened.";
    announce(`${was} ${lesson.answers[lesson.right]}. ${lesson.after}`);
    this.#lab.move(lesson.look, lesson.look.moment);
  }

  /** @param {Lesson} lesson @param {number | null} chosen */
  #show(lesson, chosen) {
    const answers = element("div", { className: "lesson-answers", role: "group", ariaLabel: "Your prediction" });
    answers.append(...lesson.answers.map((text, place) => this.#answer(lesson, text, place, chosen)));
    this.#host.replaceChildren(
      this.#head(`Lesson ${lesson.place} of ${lesson.of}`),
      element("h2", { textContent: lesson.title, tabIndex: -1 }),
      element("p", { textContent: lesson.before }),
      element("p", { className: "lesson-ask", textContent: lesson.ask }),
      answers,
      ...(chosen === null ? [] : this.#told(lesson)),
      this.#foot(lesson, chosen !== null),
    );
    this.#setOn(true, chosen === null);
    if (chosen !== null) answers.querySelector("button")?.focus({ preventScroll: true });
  }

  /** @param {string} text */
  #head(text) {
    const icon = element("span", { className: "icon icon-close" });
    const close = element("button", { type: "button", className: "icon-button", title: "End the lesson" }, icon);
    close.setAttribute("aria-label", "End the lesson");
    close.addEventListener("click", () => this.close());
    return element("div", { className: "panel-head lesson-head" }, element("span", { textContent: text }), close);
  }

  /**
   * @param {Lesson} lesson
   * @param {string} text
   * @param {number} place
   * @param {number | null} chosen
   */
  #answer(lesson, text, place, chosen) {
    const marks = [
      chosen !== null && place === lesson.right ? "what happened" : "",
      chosen === place ? "your answer" : "",
    ].filter(Boolean);
    const button = element(
      "button",
      { type: "button", className: "lesson-answer", dataset: { answer: String(place) } },
      element("b", { textContent: text }),
      ...marks.map((mark) => element("span", { textContent: mark })),
    );
    button.classList.toggle("is-right", chosen !== null && place === lesson.right);
    button.classList.toggle("is-chosen", chosen === place);
    button.setAttribute("aria-pressed", String(chosen === place));
    if (chosen === null) button.addEventListener("click", () => this.#reveal(place));
    else button.setAttribute("aria-disabled", "true");
    return button;
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

  /** @param {Lesson} lesson @param {boolean} isAnswered */
  #foot(lesson, isAnswered) {
    const all = element("a", { href: "/lessons", className: "button", textContent: "All lessons" });
    const foot = element("div", { className: "lesson-foot" }, all);
    if (!isAnswered) return foot;
    const live = element("button", { type: "button", className: "button", textContent: "Start it live…" });
    live.title = "Asks for a run from the settings of the recorded one";
    live.addEventListener("click", () => this.#lab.startLive());
    foot.append(live);
    if (lesson.next === null) return foot;
    const next = element("button", { type: "button", className: "button button-primary", textContent: "Next lesson" });
    const { next: key } = lesson;
    next.addEventListener("click", () => this.open(key));
    foot.append(next);
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
