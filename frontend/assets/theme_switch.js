"use strict";
// Light or dark: what a person chose on any page stays, else the system decides.
(function (lab) {
  const root = document.documentElement;

  /** `remember` keeps it for the next visit. */
  function show(theme, remember) {
    root.dataset.theme = theme;
    if (remember) localStorage.setItem("theme", theme);
  }

  const other = () => (root.dataset.theme === "dark" ? "light" : "dark");

  function followSystem(onChange) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
      if (!localStorage.getItem("theme")) onChange(event.matches ? "dark" : "light");
    });
  }

  lab.theme = { show, other, followSystem };
})((window.lab = window.lab || {}));
