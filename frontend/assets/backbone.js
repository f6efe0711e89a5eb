"use strict";
// Which dimensions of the shared backbone each expert holds, and how many experts hold each dimension.
(function (lab) {
  const LABEL_WIDTH = 24;

  /** Picture of a layer's bit-packed subspaces; `dims` is R, `partitions` P. */
  function backbone(layer, dims, partitions) {
    const { rows, cols, data } = layer.subspace;
    const width = dims / partitions;
    const own = rows === partitions;
    const holds = (e, dim) => (data[e * cols + (dim >> 3)] >> (7 - (dim & 7))) & 1;
    const holders = new Uint16Array(dims);
    for (let e = 0; e < rows; e++) for (let dim = 0; dim < dims; dim++) holders[dim] += holds(e, dim);

    function inPartition(e, p) {
      let [held, shared] = [0, 0];
      for (let dim = p * width; dim < (p + 1) * width; dim++) {
        held += holds(e, dim);
        shared += holds(e, dim) && holders[dim] > 1 ? 1 : 0;
      }
      return { held, shared };
    }

    return {
      rows: rows + 2, // two more rows: how many experts hold each dimension
      cols: partitions,
      labelWidth: LABEL_WIDTH,
      rowLabels: (e) => (e < rows ? `E${e}` : e === rows ? "" : "all"),
      colLabels: null,
      paint: (c, g) => paint(c, g, { rows, dims, width, own, holds, holders }),
      read: (e, p) => {
        const place = `${own && e === p ? "its own block" : "block"} ${lab.matrices.block(p)}`;
        if (e >= rows) {
          const most = Math.max(...holders.subarray(p * width, (p + 1) * width));
          return `Block ${lab.matrices.block(p)}: at most ${most} of ${rows} experts hold one of its dimensions`;
        }
        const { held, shared } = inPartition(e, p);
        return `E${e} holds ${held} of the ${width} dimensions of ${place}, ${shared} of them together with others`;
      },
      summary: () => {
        const shared = holders.filter((count) => count > 1).length;
        const free = holders.filter((count) => count === 0).length;
        return `Of ${dims} dimensions ${shared} are held by several experts, ${free} by none.`;
      },
    };
  }

  function paint(c, g, { rows, dims, width, own, holds, holders }) {
    const dimWidth = (g.cellWidth * (dims / width)) / dims;
    const barHeight = Math.max(1, g.cellHeight - Math.max(1, g.gap));
    for (let e = 0; e < rows; e++) {
      const y = g.top + e * g.cellHeight;
      c.fillStyle = lab.colours.ground;
      c.fillRect(g.left, y, dims * dimWidth, barHeight);
      for (let start = 0; start < dims; ) {
        const kind = (dim) => (holds(e, dim) ? (own && Math.floor(dim / width) === e ? 2 : 1) + (holders[dim] > 1 ? 2 : 0) : 0);
        let end = start + 1;
        while (end < dims && kind(end) === kind(start)) end++;
        const what = kind(start);
        if (what) {
          const shared = what > 2;
          c.fillStyle = what % 2 ? lab.colours.low : lab.colours.high;
          const inset = shared ? Math.round(barHeight * 0.25) : 0; // thinner where others hold it too
          c.fillRect(g.left + start * dimWidth, y + inset, (end - start) * dimWidth, barHeight - 2 * inset);
        }
        start = end;
      }
    }
    const base = g.top + (rows + 2) * g.cellHeight - 1;
    const height = 2 * g.cellHeight - 4;
    c.fillStyle = lab.colours.muted;
    for (let dim = 0; dim < dims; dim++) {
      const h = (holders[dim] / rows) * height;
      c.fillRect(g.left + dim * dimWidth, base - h, Math.max(1, dimWidth), h);
    }
    c.fillRect(g.left, base, dims * dimWidth, 1);
  }

  lab.backbone = backbone;
})((window.lab = window.lab || {}));
