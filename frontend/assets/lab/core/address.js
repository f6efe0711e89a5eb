// The page's state in its link: #run=...&layer=2&view=logits&theme=dark

/** @param {string} [hash] @returns {Record<string, string>} */
export const readAddress = (hash = location.hash) => Object.fromEntries(new URLSearchParams(hash.slice(1)));

/**
 * Change some entries; null removes one. Only with `push` it can be gone back from.
 *
 * @param {Record<string, string | null>} changes
 * @param {boolean} [push]
 */
export function writeAddress(changes, push = false) {
  const entries = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) entries.delete(name);
    else entries.set(name, value);
  }
  const link = `${location.pathname}#${entries}`;
  if (push) history.pushState(null, "", link);
  else history.replaceState(null, "", link);
}
