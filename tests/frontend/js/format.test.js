import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../../../frontend/assets/lab/core/format.js";

/** @type {[string, (value: any) => unknown, [unknown, unknown][]][]} */
const CASES = [
  [
    "a share leaves out its zero",
    format.cell,
    [
      [0.874, ".87"],
      [1, "1.0"],
      [-0.5, "-.50"],
      [0, ".00"],
    ],
  ],
  [
    "a setting is as short as it can be",
    format.setting,
    [
      [0, "0"],
      [0.5, "0.5"],
      [1e-4, "1e-4"],
      [1.25e-5, "1.25e-5"],
      [30, "30"],
    ],
  ],
  [
    "a measure has three digits that matter",
    format.measure,
    [
      [0.1234, "0.123"],
      [12.34, "12.3"],
      [1234.5, "1,235"],
      [1.5e-5, "1.5e-5"],
      [NaN, "no value"],
    ],
  ],
  [
    "one decimal comma is a point, one before three digits may separate thousands",
    format.decimal,
    [
      ["0,5", 0.5],
      ["1,000", null],
      ["1e-3", 1e-3],
      [".5", 0.5],
      ["0x1", null],
      ["1 0", null],
      ["", null],
    ],
  ],
  [
    "a whole number has digits only",
    format.whole,
    [
      ["12", 12],
      ["-1", null],
      ["1.5", null],
    ],
  ],
  [
    "a duration is told in the unit that fits",
    format.duration,
    [
      [0.2, "under 1 s"],
      [89, "89 s"],
      [200, "3 min"],
      [7300, "2 h 2 min"],
      [200_000, "2 days"],
    ],
  ],
  [
    "a built-in task's name is without what says more, and an own one whole",
    format.shortName,
    [
      ["MNIST", "MNIST"],
      ["Fashion-MNIST", "Fashion"],
      ["Kana (drawn stand-in for KMNIST)", "Kana"],
      ["digits low", "digits low"],
    ],
  ],
];

for (const [name, act, cases] of CASES) {
  test(name, () => {
    for (const [given, wanted] of cases) assert.equal(act(given), wanted);
  });
}
