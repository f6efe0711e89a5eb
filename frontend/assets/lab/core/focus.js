// What is under the pointer, or pinned: an expert, a block, a task. Every picture lights it.

/**
 * @typedef {object} Target null where it is not of such a thing
 * @property {number | null} expert
 * @property {number | null} block
 * @property {number | null} task
 * @property {number | null} other the second expert of a pair
 */

/** @type {Target} */
const NOTHING = { expert: null, block: null, task: null, other: null };

/** @param {Partial<Target>} parts @returns {Target} */
export const targetOf = (parts) => ({ ...NOTHING, ...parts });

/**
 * @param {Target | null} a
 * @param {Target | null} b
 */
export const isSame = (a, b) =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.expert === b.expert &&
    a.block === b.block &&
    a.task === b.task &&
    a.other === b.other);

export class Focus {
  /** @type {Target | null} */
  target = null;
  pinned = false;
  #onChange;

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Follow the pointer, unless something is pinned. @param {Target | null} target */
  point(target) {
    if (this.pinned || isSame(target, this.target)) return;
    this.target = target;
    this.#onChange();
  }

  /** Move to a cell by keyboard: what is pinned moves along. @param {Target} target */
  move(target) {
    if (isSame(target, this.target)) return;
    this.target = target;
    this.#onChange();
  }

  /** Hold what was clicked, or let go what is held already. @param {Target} target */
  pin(target) {
    if (this.pinned && isSame(target, this.target)) {
      this.free();
      return;
    }
    this.target = target;
    this.pinned = true;
    this.#onChange();
  }

  free() {
    if (!this.target && !this.pinned) return;
    this.target = null;
    this.pinned = false;
    this.#onChange();
  }
}
