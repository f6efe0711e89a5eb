// The elements of one view, found by data-part inside its root, so that a page can hold two views.

let views = 0;

export class Parts {
  /** @param {Element} root */
  constructor(root) {
    this.root = root;
    this.prefix = `view${(views += 1)}`;
  }

  /** An id that no other view of the page has. @param {string} name */
  id(name) {
    return `${this.prefix}-${name}`;
  }

  /** @param {string} name */
  has(name) {
    return this.#search(name) !== null;
  }

  /**
   * The element of a name, which must be there.
   *
   * @template {HTMLElement} [T=HTMLElement]
   * @param {string} name
   * @param {new () => T} [type]
   * @returns {T}
   */
  find(name, type) {
    const found = this.#search(name);
    const wanted = type || HTMLElement;
    if (!(found instanceof wanted)) {
      throw new Error(
        `A view must have a ${wanted.name} data-part="${name}". Found ${found ? found.nodeName : "none"}.`,
      );
    }
    return /** @type {T} */ (found);
  }

  /** @param {string} name */
  button(name) {
    return this.find(name, HTMLButtonElement);
  }

  /** @param {string} name */
  select(name) {
    return this.find(name, HTMLSelectElement);
  }

  /** @param {string} name */
  #search(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }
}
