// Colour tokens from CSS, and 256-step scales made from them. Rebuilt when the theme changes.

/**
 * @typedef {number[]} Rgb
 * @typedef {object} Scale 256 steps
 * @property {string[]} fill
 * @property {string[]} text what can be read on the fill
 * @property {number[]} bytes as a canvas stores a pixel
 * @typedef {"ground" | "panel" | "ink" | "muted" | "line" | "control" | "accent" | "change" | "warning" | "low" | "high" | "block" | "held" | "conflict"} Token
 */

/** Where the colours of tokens.css stand on the scale of sigma(A), and on that of conflict. */
export const SIGMA_STOPS = [0, 0.4, 0.5, 0.6, 1];
export const CLASH_STOPS = [0, 0.5, 1];
export const DIFFERENCE_STOPS = [0, 0.5, 1];

const DARK_INK = [0, 0, 0]; // against white the worst ground leaves 4.58; a softer black would not reach 4.5
const LIGHT_INK = [255, 255, 255];

/** @type {Record<Token, string>} */
const NONE = {
  ground: "",
  panel: "",
  ink: "",
  muted: "",
  line: "",
  control: "",
  accent: "",
  change: "",
  warning: "",
  low: "",
  high: "",
  block: "",
  held: "",
  conflict: "",
};
const TOKENS = /** @type {Token[]} */ (Object.keys(NONE));

/** The colours of the present theme; the tasks' are as many as the style sheet has. */
export const colours = {
  ...NONE,
  /** @type {string[]} */
  tasks: [],
  /** @type {string[]} */
  taskTexts: [],
  /** sigma(A), 0 to 1: luminance changes with every step, hue tells the side of .5. */
  sigma: scale(() => LIGHT_INK),
  /** Conflict, from 0 to the top of the scale that is in use. */
  clash: scale(() => LIGHT_INK),
  /** Run B minus run A, -1 to 1: violet where B has more, ink where A has. */
  difference: scale(() => LIGHT_INK),
};

/**
 * A task's entry of one of the lists above; with more tasks than colours they come again.
 *
 * @template T
 * @param {T[]} list
 * @param {number} task
 */
export const ofTask = (list, task) => list[task % list.length];

/** @param {string} hex */
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** @param {Rgb} c */
function css(c) {
  return `rgb(${c.map(Math.round).join(",")})`;
}

/**
 * @param {Rgb} a
 * @param {Rgb} b
 * @param {number} share
 */
const mix = (a, b, share) => a.map((value, i) => channel(light(value) + (light(b[i]) - light(value)) * share));

/** A channel's light, 0 to 1: between two colours the luminance then changes evenly. @param {number} value */
function light(value) {
  return value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
}

/** The channel of an amount of light. @param {number} amount */
function channel(amount) {
  return 255 * (amount <= 0.0031308 ? 12.92 * amount : 1.055 * amount ** (1 / 2.4) - 0.055);
}

/** @param {Rgb} c */
function luminance(c) {
  const [r, g, b] = c.map(light);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {Rgb} background */
function readable(background) {
  const level = luminance(background);
  const onDark = (luminance(LIGHT_INK) + 0.05) / (level + 0.05);
  const onLight = (level + 0.05) / (luminance(DARK_INK) + 0.05);
  return css(onDark > onLight ? LIGHT_INK : DARK_INK);
}

/**
 * `colourAt` gives [r, g, b] for a share from 0 to 1.
 *
 * @param {(share: number) => Rgb} colourAt
 * @returns {Scale}
 */
function scale(colourAt) {
  const steps = Array.from({ length: 256 }, (_, i) => colourAt(i / 255));
  return {
    fill: steps.map(css),
    text: steps.map(readable),
    bytes: steps.map((c) => (255 << 24) | (Math.round(c[2]) << 16) | (Math.round(c[1]) << 8) | Math.round(c[0])),
  };
}

/** Read the tokens of the present theme. */
export function buildColours() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  for (const name of TOKENS) colours[name] = token(name);
  colours.tasks = [];
  for (let task = 0; token(`task-${task}`); task++) colours.tasks.push(token(`task-${task}`));
  colours.taskTexts = colours.tasks.map((_, task) => token(`task-text-${task}`));
  /** @param {string} name @param {number} count */
  const stops = (name, count) => Array.from({ length: count }, (_, i) => rgb(token(`${name}-${i}`)));
  colours.sigma = scale(along(SIGMA_STOPS, stops("sigma", SIGMA_STOPS.length)));
  colours.clash = scale(along(CLASH_STOPS, stops("conflict", CLASH_STOPS.length)));
  colours.difference = scale(along(DIFFERENCE_STOPS, [rgb(colours.ink), rgb(colours.control), rgb(colours.change)]));
}

/**
 * The colour at a share, between the two stops around it.
 *
 * @param {number[]} at shares, rising
 * @param {Rgb[]} stops
 * @returns {(share: number) => Rgb}
 */
export function along(at, stops) {
  return (share) => {
    let next = 1;
    while (next < at.length - 1 && at[next] < share) next++;
    return mix(stops[next - 1], stops[next], (share - at[next - 1]) / (at[next] - at[next - 1]));
  };
}
