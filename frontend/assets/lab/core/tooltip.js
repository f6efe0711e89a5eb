// One tooltip for all pictures of the page.

const MARGIN = 8;
const BELOW = 40;

const box = () => /** @type {HTMLElement} */ (document.getElementById("tooltip"));

/**
 * Show a sentence above a point of the window, or below where there is no room.
 *
 * @param {string} text
 * @param {number} x
 * @param {number} y
 */
export function showTooltip(text, x, y) {
  const tooltip = box();
  tooltip.textContent = text;
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.max(MARGIN, Math.min(innerWidth - width - MARGIN, x - width / 2));
  const above = y - height - MARGIN;
  tooltip.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > MARGIN ? above : y + BELOW)}px)`;
}

export function hideTooltip() {
  box().hidden = true;
}
