// sigma(A) of a layer: which expert holds on to which block of the backbone.

import { colours } from "../core/colours.js";
import { cell } from "../core/format.js";
import { legendBar } from "./legend.js";
import { LABEL_WIDTH, block, expert, extremes, level } from "./picture.js";

/** @import { Picture } from "./picture.js" */

/** @type {Picture} */
export const topology = {
  name: "topology",
  title: "Topology",
  subtitle: "which expert holds which block",
  shape: "square",
  needs: ["connection", "topology_logits"],
  slots: 2,
  values: [
    { text: "σ(A)", title: "Between 0 and 1 (L)", raw: false },
    { text: "A", title: "Raw logits (L)", raw: true },
  ],
  isOf: (model) => model.hasTopology,
  absent: ({ full, owns }) => `${full} has no topology matrix: ${owns}.`,
  legend: (_, raw) => {
    const [low, high] = raw ? ["A −4", "+4"] : ["0 lets go", "1 holds"];
    return [low, legendBar(colours.diverging), high];
  },

  /** With `raw` the cells print the logits A, the colours stay those of sigma(A). */
  matrix({ connection, topology_logits: logits }, { raw }) {
    const { rows, cols, data } = connection;
    return {
      rows,
      cols,
      labelWidth: LABEL_WIDTH,
      rowLabels: expert,
      colLabels: block,
      scale: () => colours.diverging,
      level: (r, c) => level(data[r * cols + c]),
      text: (r, c) => (raw ? logitText(logits.data[r * cols + c]) : cell(data[r * cols + c])),
      read: (r, c) => {
        const i = r * cols + c;
        const target = `${rows === cols && r === c ? "its own block" : "block"} ${block(c)}`;
        return `E${r} to ${target}: σ(A) ${data[i].toFixed(3)}, A ${logits.data[i].toFixed(3)}`;
      },
      summary: () => extremes(connection, expert, block, "to"),
    };
  },
};

/** @param {number} value */
const logitText = (value) => value.toFixed(Math.abs(value) >= 9.95 ? 0 : 1);
