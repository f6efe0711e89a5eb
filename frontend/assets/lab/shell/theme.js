// Light or dark: what a person chose on any page stays, else the system decides. `assets/theme.js` sets the first one.

/** @typedef {"light" | "dark"} Theme */

const root = document.documentElement;

/**
 * @param {Theme} theme
 * @param {boolean} remember for the next visit
 */
export function showTheme(theme, remember) {
  root.dataset.theme = theme;
  if (remember) localStorage.setItem("theme", theme);
}

/** @returns {Theme} the one that is not shown */
export const otherTheme = () => (root.dataset.theme === "dark" ? "light" : "dark");

/** Tell when the system changes, unless a person has chosen. @param {(theme: Theme) => void} onChange */
export function followSystem(onChange) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
    if (!localStorage.getItem("theme")) onChange(event.matches ? "dark" : "light");
  });
}
