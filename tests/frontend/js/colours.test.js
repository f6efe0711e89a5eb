import assert from "node:assert/strict";
import { test } from "node:test";

import { tokensOf, wear } from "./page.js";
import { buildColours, colours } from "../../../frontend/assets/lab/core/colours.js";

/** @param {string} css rgb(r,g,b) or a token's #rrggbb @returns {number} WCAG's relative luminance */
function luminance(css) {
  const parts = css.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(css.slice(at, at + 2), 16))
    : (css.match(/\d+/g) || []).map(Number);
  const [r, g, b] = parts.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {string} a @param {string} b */
function contrast(a, b) {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

for (const theme of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
  test(`${theme}: the more sigma(A) holds, the more ink, without a step back`, () => {
    wear(theme);
    buildColours();
    const levels = colours.sigma.fill.map(luminance);
    const sign = theme === "light" ? -1 : 1;
    for (let i = 4; i < levels.length; i += 4) assert.ok(sign * (levels[i] - levels[i - 4]) > 0, `at ${i}`);
  });

  test(`${theme}: every number on a scale can be read`, () => {
    wear(theme);
    buildColours();
    for (const scale of [colours.sigma, colours.clash]) {
      scale.fill.forEach((fill, i) =>
        assert.ok(contrast(fill, scale.text[i]) >= 4.5, `${contrast(fill, scale.text[i])} at ${i}`),
      );
    }
  });

  test(`${theme}: every colour of text stands out from panel and ground`, () => {
    const tokens = tokensOf(theme);
    for (const ground of ["panel", "ground"]) {
      for (const ink of ["ink", "muted", "accent", "change", "warning", "good", "bad"]) {
        assert.ok(contrast(tokens[ink], tokens[ground]) >= 4.5, `${ink} on ${ground}`);
      }
    }
  });
}
