"use strict";
// A matrix on a canvas, with row and column labels, values where they can be read, and a cursor for mouse and keyboard.
(function (lab) {
  const VALUE_CELL_PX = 17;
  const MANY_CELLS_PX = 3;
  const FONT = '"Inter", system-ui, sans-serif';

  /** What a cell shows instead of a value. */
  const NO_VALUE = { HATCH: -1, DOT: -2, BLANK: -3 };

  class Heatmap {
    /** `name` as in the layout; `title()` names the picture for screen readers. */
    constructor(name, title) {
      this.host = document.getElementById(`picture-${name}`);
      this.title = title;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      this.canvas.setAttribute("aria-roledescription", "matrix, read with the arrow keys");
      this.canvas.setAttribute("aria-label", title());
      this.context = this.canvas.getContext("2d");
      this.absent = document.createElement("div");
      this.absent.className = "picture-absent";
      this.absent.hidden = true;
      this.host.append(this.canvas, this.absent);
      this.cursor = null;
      this.matrix = null;
      this.#listen();
      new ResizeObserver(() => this.#fit()).observe(this.host);
      this.#fit();
    }

    /**
     * Draw a matrix: {rows, cols, rowLabels, colLabels, labelWidth, scale(row), level(row, col), text(row, col),
     * read(row, col), summary(), paint?}. `level` is 0 to 255 or one of NO_VALUE; `read` is a sentence about a cell.
     */
    show(matrix) {
      this.matrix = matrix;
      this.absent.hidden = true;
      this.#draw();
      if (this.cursor) this.#tell(false);
    }

    /** Say in one sentence why there is no picture. */
    say(sentence) {
      this.matrix = null;
      this.absent.textContent = sentence;
      this.absent.hidden = false;
      this.canvas.setAttribute("aria-label", `${this.title()}. ${sentence}`);
    }

    /** Nothing is known yet: back to the skeleton. */
    clear() {
      this.matrix = null;
      this.cursor = null;
      this.absent.hidden = true;
      this.#skeleton();
    }

    /** Name the picture and its extremes for screen readers. Not every frame: it would be read too often. */
    describe() {
      if (this.matrix) this.canvas.setAttribute("aria-label", `${this.title()}. ${this.matrix.summary()}`);
    }

    redraw() {
      if (this.matrix) this.#draw();
      else this.#skeleton();
    }

    #fit() {
      const { width, height } = this.host.getBoundingClientRect();
      if (!width || !height) return;
      const ratio = window.devicePixelRatio || 1;
      this.width = width;
      this.height = height;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.redraw();
    }

    #geometry(rows, cols, labelWidth, colLabels) {
      const left = labelWidth;
      const top = colLabels ? 16 : 4;
      const cellWidth = (this.width - left) / cols;
      const cellHeight = (this.height - top) / rows;
      const small = Math.min(cellWidth, cellHeight);
      const gap = small >= 14 ? 2 : small >= 6 ? 1 : 0;
      return { left, top, cellWidth, cellHeight, gap, radius: small >= 14 ? 3 : 0 };
    }

    #skeleton() {
      if (!this.width) return;
      const square = this.height > 0.7 * this.width;
      const [rows, cols] = [square ? 8 : 3, 8];
      const g = this.#geometry(rows, cols, 24, true);
      const c = this.context;
      c.clearRect(0, 0, this.width, this.height);
      c.fillStyle = lab.colours.ground;
      for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) this.#cell(g, row, col);
    }

    #cell(g, row, col) {
      const c = this.context;
      c.beginPath();
      c.roundRect(
        g.left + col * g.cellWidth, g.top + row * g.cellHeight, g.cellWidth - g.gap, g.cellHeight - g.gap, g.radius,
      );
      c.fill();
    }

    #draw() {
      const m = this.matrix;
      if (!this.width) return;
      const c = this.context;
      const g = (this.g = this.#geometry(m.rows, m.cols, m.labelWidth, m.colLabels));
      c.clearRect(0, 0, this.width, this.height);
      this.#labels(g, m);
      if (m.paint) m.paint(c, g);
      else if (Math.min(g.cellWidth, g.cellHeight) < MANY_CELLS_PX) this.#drawPixels(g, m);
      else this.#drawCells(g, m);
      if (this.cursor) this.#ring(g);
    }

    #labels(g, m) {
      const c = this.context;
      c.font = `10px ${FONT}`;
      c.fillStyle = lab.colours.muted;
      c.textBaseline = "middle";
      if (m.colLabels) {
        c.textAlign = "center";
        const widest = 6 * m.colLabels(m.cols - 1).length + 5;
        const every = Math.max(1, Math.ceil(widest / g.cellWidth));
        for (let col = 0; col < m.cols; col += every) {
          c.fillText(m.colLabels(col), g.left + (col + 0.5) * g.cellWidth - g.gap / 2, 7);
        }
      }
      const every = Math.max(1, Math.ceil(11 / g.cellHeight));
      for (let row = 0; row < m.rows; row += every) {
        const y = g.top + (row + 0.5) * g.cellHeight - g.gap / 2;
        if (m.rowDot) {
          c.fillStyle = m.rowDot(row);
          c.beginPath();
          c.arc(4, y, 4, 0, 2 * Math.PI);
          c.fill();
          c.fillStyle = lab.colours.muted;
          c.textAlign = "left";
          c.fillText(m.rowLabels(row), 12, y);
        } else {
          c.textAlign = "right";
          c.fillText(m.rowLabels(row), g.left - 6, y);
        }
      }
    }

    #drawCells(g, m) {
      const c = this.context;
      const readable = g.cellWidth >= VALUE_CELL_PX && g.cellHeight >= 14;
      c.font = `${g.cellWidth >= 27 ? 11 : g.cellWidth >= 23 ? 10 : 9}px ${FONT}`;
      c.textAlign = "center";
      for (let row = 0; row < m.rows; row++) {
        const scale = m.scale(row);
        for (let col = 0; col < m.cols; col++) {
          const level = m.level(row, col);
          if (level === NO_VALUE.BLANK) continue;
          if (level < 0) {
            this.#drawNoValue(g, row, col, level);
            continue;
          }
          c.fillStyle = scale.fill[level];
          this.#cell(g, row, col);
          const text = readable && m.text(row, col);
          if (text) {
            c.fillStyle = scale.text[level];
            c.fillText(text, g.left + (col + 0.5) * g.cellWidth - g.gap / 2, g.top + (row + 0.5) * g.cellHeight - g.gap / 2 + 0.5);
          }
        }
      }
    }

    #drawNoValue(g, row, col, level) {
      const c = this.context;
      const x = g.left + col * g.cellWidth;
      const y = g.top + row * g.cellHeight;
      const [w, h] = [g.cellWidth - g.gap, g.cellHeight - g.gap];
      if (level === NO_VALUE.DOT) {
        c.fillStyle = lab.colours.muted;
        c.beginPath();
        c.arc(x + w / 2, y + h / 2, Math.min(2, w / 4), 0, 2 * Math.PI);
        c.fill();
        return;
      }
      c.save();
      c.beginPath();
      c.rect(x, y, w, h);
      c.clip();
      c.strokeStyle = lab.colours.muted;
      c.globalAlpha = 0.5;
      c.lineWidth = 1;
      c.beginPath();
      for (let at = -h; at < w; at += 4) {
        c.moveTo(x + at, y + h);
        c.lineTo(x + at + h, y);
      }
      c.stroke();
      c.restore();
    }

    /** Thousands of cells: one image of one pixel a cell, stretched without smoothing. */
    #drawPixels(g, m) {
      const image = new ImageData(m.cols, m.rows);
      const pixels = new Uint32Array(image.data.buffer);
      for (let row = 0; row < m.rows; row++) {
        const scale = m.scale(row);
        for (let col = 0; col < m.cols; col++) {
          const level = m.level(row, col);
          pixels[row * m.cols + col] = level < 0 ? 0 : scale.bytes[level];
        }
      }
      const sheet = new OffscreenCanvas(m.cols, m.rows);
      sheet.getContext("2d").putImageData(image, 0, 0);
      this.context.imageSmoothingEnabled = false;
      this.context.drawImage(sheet, g.left, g.top, g.cellWidth * m.cols, g.cellHeight * m.rows);
    }

    #ring(g) {
      const { row, col } = this.cursor;
      const c = this.context;
      c.strokeStyle = lab.colours.ink;
      c.lineWidth = 2;
      c.beginPath();
      c.roundRect(
        g.left + col * g.cellWidth, g.top + row * g.cellHeight,
        Math.max(4, g.cellWidth - g.gap), Math.max(4, g.cellHeight - g.gap), g.radius,
      );
      c.stroke();
    }

    #listen() {
      this.canvas.addEventListener("pointermove", (event) => {
        if (!this.matrix) return;
        const box = this.canvas.getBoundingClientRect();
        const col = Math.floor((event.clientX - box.left - this.g.left) / this.g.cellWidth);
        const row = Math.floor((event.clientY - box.top - this.g.top) / this.g.cellHeight);
        this.#point(row, col, false);
      });
      this.canvas.addEventListener("pointerleave", () => this.#forget());
      this.canvas.addEventListener("blur", () => this.#forget());
      this.canvas.addEventListener("keydown", (event) => {
        const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
        if (event.key === "Escape") this.#forget();
        if (!move || !this.matrix) return;
        event.preventDefault();
        const from = this.cursor || { row: 0, col: 0 };
        const to = this.cursor ? [from.row + move[0], from.col + move[1]] : [0, 0];
        const clamp = (value, size) => Math.max(0, Math.min(size - 1, value));
        this.#point(clamp(to[0], this.matrix.rows), clamp(to[1], this.matrix.cols), true);
      });
    }

    #point(row, col, byKeyboard) {
      const inside = row >= 0 && col >= 0 && row < this.matrix.rows && col < this.matrix.cols;
      if (!inside) return this.#forget();
      this.cursor = { row, col };
      this.#draw();
      this.#tell(byKeyboard);
    }

    #forget() {
      if (!this.cursor) return;
      this.cursor = null;
      lab.tooltip.hide();
      this.redraw();
    }

    #tell(aloud) {
      const { row, col } = this.cursor;
      if (row >= this.matrix.rows || col >= this.matrix.cols) return this.#forget();
      const box = this.canvas.getBoundingClientRect();
      const sentence = this.matrix.read(row, col);
      lab.tooltip.show(sentence, box.left + this.g.left + (col + 0.5) * this.g.cellWidth, box.top + this.g.top + row * this.g.cellHeight);
      if (aloud) lab.announce(sentence);
    }
  }

  lab.Heatmap = Heatmap;
  lab.NO_VALUE = NO_VALUE;
})((window.lab = window.lab || {}));
