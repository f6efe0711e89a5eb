// Runs that are drawn beside the page's own: what film, chart and tabs know of each.

/** @import { Frame } from "../core/frames.js" */
/** @import { Model } from "../core/model.js" */
/** @import { RunEvent } from "../core/told.js" */
/** @import { FilmMoments } from "./film_moments.js" */

/** Lines are told apart by dash, and the page's own is solid. @typedef {"a" | "b" | "c" | "d"} Place */

/**
 * Mean and interval of several seeds at rising steps.
 *
 * @typedef {object} Band
 * @property {number} seeds the most that a step has
 * @property {number[]} xs steps
 * @property {number[]} mean
 * @property {number[]} low
 * @property {number[]} high
 *
 * @typedef {object} Compared one of the runs that are compared
 * @property {Place} place
 * @property {string} name by what sets it apart
 * @property {Model} model
 * @property {FilmMoments} moments
 * @property {Frame | null} frame the one shown
 * @property {RunEvent[]} events its own, oldest first
 * @property {number} last its newest step
 *
 * @typedef {object} Beside
 * @property {Compared[]} runs A first
 * @property {number} step the one that all show
 * @property {number} live the one that all show when none is looked back at
 */

/** A's place first. @type {Place[]} */
export const PLACES = ["a", "b", "c", "d"];

/** @param {Place} place */
export const letterOf = (place) => place.toUpperCase();

const LONGEST = 7; // letters that have room left of the film

/** A run's name where there is little room: its letter when it is long. @param {Compared} run */
export const briefly = ({ place, name }) => (name.length <= LONGEST ? name : letterOf(place));
