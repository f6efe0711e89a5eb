// Numbers and times as people read them.

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 2431 -> "2,431" @param {number} value */
export const count = (value) => grouped.format(value);

/** A share or a sigmoid for a small cell: 0.87 -> ".87", 1 -> "1.0" @param {number} value */
export function cell(value) {
  const text = value.toFixed(2);
  return text.startsWith("0") ? text.slice(1) : text.startsWith("-0") ? `-${text.slice(2)}` : value.toFixed(1);
}

/** A bound as it is written beside a scale: .05, .5, 1 @param {number} value */
export const bound = (value) => String(value).replace(/^0\./, ".");

/** A control's value, as short as it can be without losing what was set: 0.5, 30, 1e-4 @param {number} value */
export function setting(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3) return value.toExponential(2).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(4)));
}

/** Three digits that matter: 0.1234 -> "0.123", 12.34 -> "12.3" @param {number} value */
export function measure(value) {
  if (!Number.isFinite(value)) return "no value";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(1);
  return size >= 100 ? count(value) : value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/**
 * A number as typed, or null: one decimal comma is read as a point, unless it could separate thousands.
 *
 * @param {string} text
 */
export function decimal(text) {
  const pointed = /,\d{3}$/.test(text) ? text : text.replace(/^([+-]?\d*),(?=\d+$)/, "$1.");
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(pointed) ? Number(pointed) : null;
}

/** A whole number of digits only, or null. @param {string} text */
export const whole = (text) => (/^\d+$/.test(text) ? Number(text) : null);

/** @param {number} share */
export const percent = (share) => `${Math.round(100 * share)} %`;

/** 200 s -> "3 min", 7300 s -> "2 h 2 min" @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  const hours = Math.floor(seconds / 3600);
  return hours >= 48 ? `${Math.round(hours / 24)} days` : `${hours} h ${Math.round((seconds % 3600) / 60)} min`;
}

/** @param {number} time_ms */
export const clock = (time_ms) => new Date(time_ms).toLocaleTimeString([], { hour12: false });

/** A task's name where there is little room: without what stands in brackets and "-MNIST". @param {string} label */
export const shortName = (label) => label.replace(/ \(.*\)$/, "").replace(/-MNIST$/, "");
