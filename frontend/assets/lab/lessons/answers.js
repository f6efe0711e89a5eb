// The three answers of a lesson: what was chosen, what happened, and how many in a room chose each.

import { element } from "../core/element.js";

/** @import { RoomLesson } from "../room/room.js" */

/**
 * @typedef {object} Answered
 * @property {number | null} chosen the place of what was predicted here
 * @property {number | null} right of what happened; null until it is told
 * @property {RoomLesson | null} asked the lesson as the room has it; null outside a room
 */

export class Answers {
  #group = element("div", { className: "lesson-answers", role: "group", ariaLabel: "Your prediction" });
  #count = element("p", { className: "lesson-under lesson-room", role: "status" });
  /** @type {{ button: HTMLButtonElement, marks: HTMLElement, many: HTMLElement }[]} */
  #answers;

  /**
   * @param {string[]} texts
   * @param {(place: number) => void} choose
   */
  constructor(texts, choose) {
    this.#answers = texts.map((text, place) => {
      const marks = element("span", { className: "lesson-marks" });
      const many = element("span", { className: "lesson-many" });
      const button = element(
        "button",
        { type: "button", className: "lesson-answer", dataset: { answer: String(place) } },
        element("b", { textContent: text }),
        marks,
        many,
      );
      button.addEventListener("click", () => choose(place));
      return { button, marks, many };
    });
    this.#group.append(...this.#answers.map(({ button }) => button));
  }

  get elements() {
    return [this.#group, this.#count];
  }

  focus() {
    this.#answers[0].button.focus({ preventScroll: true });
  }

  /** @param {Answered} answered */
  show({ chosen, right, asked }) {
    const counts = asked?.counts ?? null;
    const isOver = right !== null || asked?.isPresenter === true;
    for (const [place, { button, marks, many }] of this.#answers.entries()) {
      const [isRight, isChosen] = [place === right, place === chosen];
      button.classList.toggle("is-right", isRight);
      button.classList.toggle("is-chosen", isChosen);
      button.setAttribute("aria-pressed", String(isChosen));
      if (isOver) button.setAttribute("aria-disabled", "true");
      else button.removeAttribute("aria-disabled");
      const said = [
        isRight && element("span", { textContent: "what happened" }),
        isChosen && element("span", { textContent: "your answer" }),
      ];
      marks.replaceChildren(...said.filter((each) => each !== false));
      const share = counts && asked?.answered ? counts[place] / asked.answered : 0;
      button.style.setProperty("--share", `${Math.round(100 * share)}%`);
      many.textContent = counts ? String(counts[place]) : "";
      many.title = counts ? "in the room" : "";
    }
    this.#count.hidden = !asked;
    const text = asked ? inWords(asked) : "";
    if (this.#count.textContent !== text) this.#count.textContent = text;
  }
}

/** How many have answered. @param {RoomLesson} asked */
function inWords({ people, answered, counts }) {
  if (counts) return `${answered} ${answered === 1 ? "answer" : "answers"} in the room`;
  return `${answered} of ${people} in the room ${answered === 1 ? "has" : "have"} answered`;
}
