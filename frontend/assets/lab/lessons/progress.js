// How far a visitor has come with the lessons: half once one is opened, done once it is answered. Kept in the browser.

const KEPT = "lessons";

/** @returns {Record<string, string>} */
export function progress() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) || "{}");
  } catch {
    return {};
  }
}

/** @param {string} key @param {"half" | "done"} state */
export function note(key, state) {
  const known = progress();
  if (known[key] === "done") return;
  localStorage.setItem(KEPT, JSON.stringify({ ...known, [key]: state }));
}
