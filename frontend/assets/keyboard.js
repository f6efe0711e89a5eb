"use strict";
// Shortcuts for the whole page. Typing in a field and pressing a focused button stay what they are.
(function (lab) {
  const TYPING = 'input:not([type="range"]), select, textarea';

  /** `actions`: {runOrPause, step, reset, live, theme, rawLogits, layer(index), help, dismiss}. */
  function listen(actions) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target, key } = event;
      if (key === "Escape") return actions.dismiss();
      if (target.matches(TYPING) || document.getElementById("shortcuts").open) return;
      if (key === " " && target.matches("button, a, summary")) return;
      const onSlider = target.matches('input[type="range"]');
      const action = {
        " ": actions.runOrPause,
        s: actions.step,
        r: actions.reset,
        d: actions.theme,
        l: actions.rawLogits,
        "?": actions.help,
        End: onSlider && target.id !== "scrub" ? undefined : actions.live,
      }[key.length === 1 ? key.toLowerCase() : key];
      if (action) {
        event.preventDefault();
        if (!event.repeat) action();
      } else if (/^[1-8]$/.test(key)) actions.layer(Number(key) - 1);
    });
  }

  lab.keyboard = { listen };
})((window.lab = window.lab || {}));
