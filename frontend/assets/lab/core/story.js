// What a topology shows, as one sentence made of counts: nothing in it is judged, everything can be counted again.

/** @import { FrameArray } from "./frames.js" */

/** A link whose sigma(A) is below this is cut. */
export const CUT = 0.1;
/** Links whose sigma(A) lie no further apart than this are even. */
export const EVEN_GAP = 0.2;

/**
 * @typedef {object} Counts
 * @property {number} links
 * @property {number} cut
 * @property {number} kept experts that keep their own block; 0 where no expert has one
 * @property {number} crossing links to blocks of others that are not cut
 * @property {number} gap between the largest sigma(A) and the smallest
 * @property {boolean} hasOwn whether every expert has a block of its own
 */

/**
 * Count the links of a layer.
 *
 * @param {Pick<FrameArray, "rows" | "cols" | "data">} connection sigma(A) [experts, blocks]
 * @returns {Counts}
 */
export function countLinks({ rows, cols, data }) {
  const hasOwn = rows === cols;
  let [cut, kept, least, most] = [0, 0, Infinity, -Infinity];
  for (let i = 0; i < rows * cols; i++) {
    const value = data[i];
    least = Math.min(least, value);
    most = Math.max(most, value);
    if (value < CUT) cut += 1;
    else if (hasOwn && Math.floor(i / cols) === i % cols) kept += 1;
  }
  return { links: rows * cols, cut, kept, crossing: rows * cols - cut - kept, gap: most - least, hasOwn };
}

/**
 * "1 link", "2 links"
 *
 * @param {number} count
 * @param {string} noun
 */
const several = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** @param {number} value */
const hundredths = (value) => value.toFixed(2).replace(/^0/, "");

/** The sentence over the pictures. @param {Counts} counts */
export function sentence({ links, cut, kept, crossing, gap, hasOwn }) {
  if (!cut && gap <= EVEN_GAP) return `None of ${links} links is cut; all are alike, within ${hundredths(gap)}.`;
  if (!cut) return `None of ${links} links is cut; they differ by up to ${hundredths(gap)}.`;
  const said = `${cut} of ${links} links ${cut === 1 ? "is" : "are"} cut`;
  if (cut === links) return `All ${links} links are cut.`;
  if (!hasOwn) return `${said}; ${several(links - cut, "link")} ${links - cut === 1 ? "is" : "are"} left.`;
  const keeps = `${several(kept, "expert")} ${kept === 1 ? "keeps its" : "keep their"} own block`;
  const crosses = crossing ? `${several(crossing, "link")} ${crossing === 1 ? "crosses" : "cross"}` : "none crosses";
  return `${said}; ${kept ? keeps : "no expert keeps its own block"}, ${crosses}.`;
}

export const WHAT = "Experts own no weights; they borrow blocks of one backbone.";

/** What that means, for who does not know the words. @param {Counts} counts */
export function meaning({ cut, gap }) {
  if (cut) return `${WHAT} Clashes cut links.`;
  return gap <= EVEN_GAP ? `${WHAT} As yet each borrows all of them.` : `${WHAT} They begin to prefer some.`;
}
