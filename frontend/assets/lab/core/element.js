// Making elements.

/**
 * An element with its properties and what is in it; empty content is left out.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Partial<Omit<HTMLElementTagNameMap[T], "dataset" | "style">> & { dataset?: Record<string, string> }} [properties]
 * @param {...(Node | string | null | false)} content
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, properties = {}, ...content) {
  const { dataset, ...rest } = properties;
  const made = document.createElement(tag);
  Object.assign(made, rest);
  Object.assign(made.dataset, dataset);
  for (const part of content) if (part) made.append(part);
  return made;
}
