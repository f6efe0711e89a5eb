// What two runs show beside each other, as sentences made of counts.

import { count } from "../core/format.js";

/** @import { Counts } from "../core/story.js" */

/** "all 64", "50 of 64", "none" @param {Counts} counts */
const many = ({ cut, links }) => (cut === 0 ? "none" : cut === links ? `all ${links}` : `${cut} of ${links}`);

/**
 * The sentence over the pictures.
 *
 * @param {{ name: string, counts: Counts }} a
 * @param {{ name: string, counts: Counts }} b
 */
export function twinSentence(a, b) {
  const { links, cut } = a.counts;
  const verb = cut === 1 ? "link is" : "links are";
  const first = cut === 0 ? `no link of ${links} is cut` : `${many(a.counts)} ${verb} cut`;
  if (many(a.counts) === many(b.counts)) return `${a.name} and ${b.name}: in both ${first}.`;
  const said = b.counts.links === links ? many(b.counts) : `${b.counts.cut} of ${b.counts.links}`;
  return `${a.name}: ${first}; ${b.name}: ${said}.`;
}

/**
 * What the two have in common, and what sets them apart.
 *
 * @param {object} pair
 * @param {string[]} pair.differs names of the settings that differ, as on the page
 * @param {number | null} pair.forkedAt the step up to which they are one run; null where they are two from the start
 * @param {boolean} pair.sameSeed
 */
export function whatDiffers({ differs, forkedAt, sameSeed }) {
  const what = !differs.length
    ? "no setting differs now"
    : `only ${listed(differs)} ${differs.length === 1 ? "differs" : "differ"}`;
  if (forkedAt !== null) return `One run up to step ${count(forkedAt)}: same weights, same images; ${what}.`;
  if (sameSeed) return `Same seed, so the same start and the same images; ${what}.`;
  const others = differs.filter((name) => name !== "seed");
  return `Another seed: other weights, other batches${others.length ? `; ${listed(others)} ${others.length === 1 ? "differs" : "differ"}, too` : ""}.`;
}

/** @param {string[]} words */
const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0]);

/** What a side's picture shows, in few words. @param {Counts} counts */
export function inFew({ cut, links, kept, hasOwn }) {
  if (cut === 0) return "no link cut";
  if (cut === links) return "every link cut";
  const share = cut / links;
  const said = share > 0.5 ? "most links cut" : share > 0.1 ? "some links cut" : "few links cut";
  return hasOwn && kept === 0 ? `${said}, no own block kept` : said;
}
