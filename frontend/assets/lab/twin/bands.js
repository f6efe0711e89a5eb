// Mean and 95 % t-interval of several seeds, at the steps of a fine scale.

import { picturesTo, stepAfter } from "../core/log_steps.js";

/** @import { Band } from "../charts/beside.js" */

/** A curve at rising steps. @typedef {{ xs: number[], ys: number[] }} Curve */

/** Fewer seeds make no interval that is worth drawing. */
export const LEAST_SEEDS = 3;
const EVERY = 0.25; // pictures

/** 97.5 % quantiles of Student's t, by degrees of freedom from 1. */
const QUANTILES = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** @param {number} freedom whole, from 1 */
export const quantile = (freedom) => QUANTILES[freedom - 1] ?? 1.96 + 2.5 / freedom;

/**
 * Mean and half of the 95 % t-interval.
 *
 * @param {number[]} values at least two
 */
export function interval(values) {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  return { mean, half: (quantile(n - 1) * spread) / Math.sqrt(n) };
}

/**
 * A curve's value at a step, along the scale of the pictures; undefined outside of it.
 *
 * @param {Curve} curve
 * @param {number} step
 */
export function valueOn({ xs, ys }, step) {
  const next = xs.findIndex((x) => x >= step);
  if (next < 0 || (next === 0 && xs[0] > step)) return undefined;
  if (xs[next] === step) return ys[next];
  const [from, to] = [picturesTo(xs[next - 1]), picturesTo(xs[next])];
  return ys[next - 1] + ((ys[next] - ys[next - 1]) * (picturesTo(step) - from)) / (to - from);
}

/**
 * The band of some curves, one a seed, where enough of them have a value; null where nowhere.
 *
 * @param {Curve[]} curves
 * @param {[number, number]} bounds that no value can leave
 * @returns {Band | null}
 */
export function bandOf(curves, [least, most]) {
  const known = curves.filter(({ xs }) => xs.length > 0);
  if (known.length < LEAST_SEEDS) return null;
  const last = Math.max(...known.map(({ xs }) => xs[xs.length - 1]));
  /** @type {Band} */
  const band = { seeds: 0, xs: [], mean: [], low: [], high: [] };
  for (let picture = 0; stepAfter(picture) <= last; picture += EVERY) {
    const step = Math.round(stepAfter(picture));
    const values = known.map((curve) => valueOn(curve, step)).filter((value) => value !== undefined);
    if (values.length < LEAST_SEEDS) continue;
    const { mean, half } = interval(values);
    band.seeds = Math.max(band.seeds, values.length);
    band.xs.push(step);
    band.mean.push(mean);
    band.low.push(Math.max(least, mean - half));
    band.high.push(Math.min(most, mean + half));
  }
  return band.xs.length ? band : null;
}
