// The elements that a view finds inside its root.

const BUTTONS = ["run-pause", "step", "reset", "reset-yes", "reset-no", "sheet-toggle", "new-run", "start-another"];
BUTTONS.push("start-cancel", "rail-log", "rail-take", "card-free");
const SELECTS = ["run-list", "speed", "preset", "data"];
const OTHERS = [
  ...["banner", "chip-model", "chip-main", "chip-speed", "chip-device", "chip-watching", "other-runs"],
  ...[
    "centre",
    "pictures",
    "film",
    "log",
    "phases",
    "layers",
    "lenses",
    "reading",
    "notice",
    "facts",
    "events",
    "sheet",
  ],
  ...["transport-note", "menu-note", "until-field", "seed-field", "preset-note", "new-run-note", "reset-question"],
  ...["keep-place", "recipe-place", "data-note", "data-shown"],
  ...["ends", "keep-row", "story", "story-below", "rail", "take", "headlines"],
  ...["compare", "twin", "twin-lenses", "twin-reading", "twin-problem", "lesson"],
  ...["card", "card-title", "card-how", "card-introduction", "card-text", "card-facts", "card-inquiry", "probe"],
];

/** The elements that one view needs. @param {string} id */
export const markup = (id) => `<div id="${id}">
  ${BUTTONS.map((name) => `<button data-part="${name}"></button>`).join("")}
  ${SELECTS.map((name) => `<select data-part="${name}"><option value=""></option></select>`).join("")}
  ${OTHERS.map((name) => `<div data-part="${name}"></div>`).join("")}
  <details data-part="probe-fold"></details><dialog data-part="start-dialog"></dialog><dialog data-part="compare-dialog"></dialog>
  <span data-part="chip-status"><b data-part="chip-words"></b><span data-part="chip-step"></span><span data-part="chip-total"></span></span>
  <div data-control="p_drop"></div></div>`;
