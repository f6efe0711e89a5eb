// What the chart shows of one run, or of several beside each other: lines, marks, and the words for them.

import { briefly, letterOf } from "./beside.js";
import { marksOf } from "./marks.js";

/** @import { Run as ChartRun } from "./chart.js" */
/** @import { Drawn, Measure } from "./measures.js" */
/** @import { Band, Beside, Compared, Place } from "./beside.js" */

/**
 * Lines where something began, of every run, by its letter.
 *
 * @param {Compared[]} runs
 * @param {number} layer
 * @param {number} last the newest step of all
 */
export const marksOfAll = (runs, layer, last) =>
  runs
    .flatMap(({ place, events }) =>
      marksOf(events, layer).map((mark) => ({ ...mark, label: `${letterOf(place)}: ${mark.label}` })),
    )
    .filter(({ step }) => step <= last)
    .sort((a, b) => a.step - b.step);

/**
 * What the chart draws: of several runs each the strong line alone.
 *
 * @param {{ measure: Measure, lines: Drawn[], others: { place: Place, lines: Drawn[] }[] }} chosen
 * @param {Beside | null} beside
 * @param {(place: Place) => Band | null} bandOf
 * @returns {ChartRun[]}
 */
export function chartRuns({ lines, others }, beside, bandOf) {
  if (!beside) return [{ lines, place: "a", name: "", band: bandOf("a") }];
  const { runs } = beside;
  return [{ place: runs[0].place, lines }, ...others].map(({ place, lines: all }, i) => ({
    place,
    lines: all.slice(-1),
    name: briefly(runs[i]),
    band: bandOf(place),
  }));
}

/**
 * What is drawn, with its window, the runs' lines and the bands.
 *
 * @param {string} told of the measure
 * @param {ChartRun[]} runs
 * @param {Beside | null} beside
 */
export function legendOf(told, runs, beside) {
  const seeds = runs.flatMap(({ band, place }) =>
    band ? [`${runs.length > 1 ? `${letterOf(place)} ` : ""}${band.seeds}`] : [],
  );
  const band = seeds.length ? `; band: mean and 95 % t-interval of other seeds (${seeds.join(", ")})` : "";
  const lines = beside ? `; ${beside.runs.map(lineInWords).join(", ")}` : "";
  return `${told}${lines}${band}`;
}

const DASHES = { a: "solid", b: "dashed", c: "dash and dot", d: "dotted" };

/** @param {Compared} run */
const lineInWords = ({ place, name }) => `${letterOf(place)} ${DASHES[place]} ${name}`;
