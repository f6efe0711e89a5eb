// Things that open over the page: a click elsewhere or Escape closes them.

const OPENED = "details.menu[open], details.why[open]";

/** Close what lies open in a document, but for what the event is in. @param {EventTarget | null} [inside] */
export function closeFolds(inside = null) {
  for (const fold of document.querySelectorAll(OPENED)) {
    if (!(inside instanceof Node) || !fold.contains(inside)) fold.removeAttribute("open");
  }
}

/** Listen until the page ends. */
export function closeFoldsElsewhere() {
  document.addEventListener("pointerdown", ({ target }) => closeFolds(target));
  document.addEventListener("focusin", ({ target }) => closeFolds(target));
}
