// Over the film: what can be done with it, whether it is live, and one sentence about what is looked at.

import { element } from "../core/element.js";
import { count } from "../core/format.js";
import { statusOf } from "../core/settings.js";
import { SPEEDS } from "./scrubber.js";

/** @import { Run } from "../core/told.js" */
/** @import { Scrubber } from "./scrubber.js" */

export class FilmBar {
  hint = element("p", { className: "film-hint" });
  state = element("span", { className: "film-live" });
  #scrubber;

  /**
   * @param {Scrubber} scrubber
   * @param {{ play: () => void, neighbour: (direction: 1 | -1) => void }} on
   */
  constructor(scrubber, { play, neighbour }) {
    this.#scrubber = scrubber;
    const before = button("before", "The picture before", () => neighbour(-1));
    const next = button("next", "The next picture", () => neighbour(1));
    this.playButton = button("play", "Play the film", play);
    this.speed = this.#speeds();
    this.back = element("button", {
      type: "button",
      className: "button film-back",
      hidden: true,
      dataset: { part: "live" },
    });
    this.back.addEventListener("click", () => scrubber.live());
    this.elements = [
      this.hint,
      element("div", { className: "film-buttons" }, before, this.playButton, next, this.speed),
      element("div", { className: "film-state" }, this.state, this.back),
    ];
  }

  #speeds() {
    const speeds = element("select", { className: "film-speed", title: "Pictures a second" });
    speeds.setAttribute("aria-label", "Speed of the film, pictures a second");
    for (const speed of SPEEDS) {
      const option = element("option", { value: String(speed), textContent: `${speed}×` });
      option.selected = speed === this.#scrubber.speed;
      speeds.append(option);
    }
    speeds.addEventListener("change", () => (this.#scrubber.speed = Number(speeds.value)));
    return speeds;
  }

  /**
   * @param {object} shown
   * @param {Run | null} shown.run
   * @param {number | null} shown.step the one looked back at, of the run shown; null for live
   * @param {number} shown.last the newest step
   * @param {boolean} shown.hasOthers whether runs are drawn beside it
   */
  show({ run, step, last, hasOthers }) {
    const isBack = this.#scrubber.pinned !== null || step !== null;
    const isOther = isBack && step === null;
    const hint = isOther
      ? "looking back before the reset"
      : isBack
        ? `looking back at step ${count(step ?? last)}; sliders show what was in force then`
        : hasOthers
          ? "one scrubber for all runs; A solid, the others dashed"
          : "drag along the film to go back; every picture on this page follows";
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
    const isActive = run !== null && statusOf(run.status).active;
    const state = !run ? "" : isActive ? "live" : "newest";
    this.state.hidden = isBack;
    if (this.state.textContent !== state) this.state.textContent = state;
    this.state.classList.toggle("is-active", run?.status === "running");
    this.back.hidden = !isBack;
    const text = isActive ? "Back to live" : "Back to the end";
    if (this.back.textContent !== text) this.back.textContent = text;
    const { isPlaying } = this.#scrubber;
    this.playButton.classList.toggle("is-playing", isPlaying);
    this.playButton.setAttribute("aria-label", isPlaying ? "Stop the film" : "Play the film");
  }
}

/** @param {string} name @param {string} label @param {() => void} act */
function button(name, label, act) {
  const icon = element("span", { className: `film-icon film-icon-${name}`, ariaHidden: "true" });
  const made = element("button", { type: "button", className: "film-button", title: label }, icon);
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}
