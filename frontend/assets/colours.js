"use strict";
// Colour tokens from CSS, and 256-step scales made from them. Rebuilt when the theme changes.
(function (lab) {
  const TOKENS = ["ground", "panel", "ink", "muted", "line", "accent", "change", "warning", "low", "high", "conflict"];
  const TASKS = 3;
  const DARK_INK = [27, 36, 48];
  const LIGHT_INK = [255, 255, 255];

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const css = (c) => `rgb(${Math.round(c[0])},${Math.round(c[1])},${Math.round(c[2])})`;
  const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);

  function luminance(c) {
    const [r, g, b] = c.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function readable(background) {
    const level = luminance(background);
    const onDark = (luminance(LIGHT_INK) + 0.05) / (level + 0.05);
    const onLight = (level + 0.05) / (luminance(DARK_INK) + 0.05);
    return css(onDark > onLight ? LIGHT_INK : DARK_INK);
  }

  /** {fill, text, bytes} of 256 steps; `colourAt` gives [r, g, b] for a share from 0 to 1. */
  function scale(colourAt) {
    const steps = Array.from({ length: 256 }, (_, i) => colourAt(i / 255));
    return {
      fill: steps.map(css),
      text: steps.map(readable),
      bytes: steps.map((c) => (255 << 24) | (Math.round(c[2]) << 16) | (Math.round(c[1]) << 8) | Math.round(c[0])),
    };
  }

  function build() {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(`--${name}`).trim();
    const colours = Object.fromEntries(TOKENS.map((name) => [name, token(name)]));
    const [ground, panel, line, low, high, conflict] = ["ground", "panel", "line", "low-fill", "high", "conflict"].map((n) => rgb(token(n)));
    colours.tasks = Array.from({ length: TASKS }, (_, q) => token(`task-${q}`));
    colours.taskTexts = Array.from({ length: TASKS }, (_, q) => token(`task-text-${q}`));
    colours.diverging = scale((s) => (s < 0.5 ? mix(low, ground, 2 * s) : mix(ground, high, 2 * s - 1)));
    colours.opposition = scale((s) => mix(mix(panel, line, 0.45), conflict, s));
    colours.shares = colours.tasks.map((task) => scale((s) => mix(mix(panel, rgb(task), 0.06), rgb(task), s)));
    Object.assign(lab.colours, colours);
  }

  lab.colours = { build };
})((window.lab = window.lab || {}));
