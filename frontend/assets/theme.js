"use strict";
// Runs in the head, before the first paint, so that the theme never flashes.
(function () {
  const fromLink = /[#&]theme=(light|dark)/.exec(location.hash);
  let chosen = fromLink ? fromLink[1] : null;
  try {
    chosen = chosen || localStorage.getItem("theme");
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // storage is forbidden here: the system decides
  }
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : system;
})();
