// "What holds": what was measured over several seeds, in the words of the page of claims.

import { element } from "../core/element.js";
import { request } from "../core/requests.js";

/** @typedef {{ text: string, verdict: string, tone: string, address: string }} Headline */

/** @param {HTMLElement} host */
export async function showHeadlines(host) {
  const answer = await request("GET", "/claims/headlines.json");
  /** @type {Headline[]} */
  const headlines = answer.ok ? answer.body.headlines : [];
  if (!headlines.length) {
    host.replaceChildren(element("p", { className: "subtitle", textContent: "No results are stored yet." }));
    return;
  }
  host.replaceChildren(
    ...headlines.map(({ text, verdict, tone, address }) =>
      element(
        "p",
        { className: "headline" },
        element("a", { href: address, className: "headline-text", textContent: text }),
        element("b", { textContent: verdict, dataset: { tone } }),
      ),
    ),
  );
}
