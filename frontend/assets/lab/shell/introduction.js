// For who is here for the first time: one picture of experts that borrow blocks, and a card that goes once it is read.

const SPACE = "http://www.w3.org/2000/svg";
const KEPT = "introduced";
const EXPERTS = [12, 35, 58]; // px, the middle of each row
/** Expert, block, and how strong the link is. @type {[number, number, "own" | "borrowed" | "cut"][]} */
const LINKS = [
  [2, 0, "cut"],
  [1, 2, "cut"],
  [0, 1, "borrowed"],
  [0, 0, "own"],
  [1, 1, "own"],
  [2, 2, "own"],
];

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function svg(tag, attributes, text = "") {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(text);
  return made;
}

/** Patches of an image go to experts, which hold blocks by links: kept, borrowed, cut. */
function picture() {
  const drawn = svg("svg", { viewBox: "0 0 228 84", role: "img", class: "introduction-svg" });
  drawn.setAttribute(
    "aria-label",
    "Patches of an image go to experts. Each expert keeps its own block of the backbone; one borrows another, and two links are cut.",
  );
  for (const [i, task] of [0, 1, 2, 0].entries()) {
    const [x, y] = [2 + 15 * (i % 2), 21 + 15 * Math.floor(i / 2)];
    drawn.append(svg("rect", { x, y, width: 13, height: 13, rx: 2, class: `task-${task}` }));
  }
  for (const y of EXPERTS) drawn.append(svg("path", { d: `M34 35 C56 35 56 ${y} 76 ${y}`, class: "sent" }));
  for (const [expert, block, strength] of LINKS) {
    const [from, to] = [EXPERTS[expert], EXPERTS[block]];
    drawn.append(svg("path", { d: `M98 ${from} C138 ${from} 142 ${to} 184 ${to}`, class: `link-${strength}` }));
  }
  for (const [i, y] of EXPERTS.entries()) {
    drawn.append(svg("circle", { cx: 88, cy: y, r: 8, class: `task-${i}` }));
    drawn.append(svg("rect", { x: 185, y: y - 10, width: 16, height: 20, rx: 3, class: "block" }));
  }
  for (const [x, text] of /** @type {const} */ ([
    [16, "patches"],
    [88, "experts"],
    [193, "backbone"],
  ])) {
    drawn.append(svg("text", { x: Math.max(24, x), y: 82, "text-anchor": "middle" }, text));
  }
  return drawn;
}

/**
 * Draw the picture wherever the page has a place for it, and show the card to who is new until it is closed.
 *
 * @param {Element} root of the view
 * @returns {() => void} closes the card for good
 */
export function introduce(root) {
  for (const host of document.querySelectorAll("[data-introduction]")) host.append(picture());
  const card = root.querySelector('[data-part="card"]');
  const isNew = localStorage.getItem(KEPT) === null;
  root.classList.toggle("is-new", isNew);
  const close = () => {
    if (!root.classList.contains("is-new")) return;
    root.classList.remove("is-new");
    localStorage.setItem(KEPT, "yes");
  };
  card?.querySelector('[data-part="card-close"]')?.addEventListener("click", close);
  return close;
}
