"use strict";
// The page's policy lets no style count that stands in a document as text: no attribute, and only elements with the nonce
// of this answer. What Dash, its components and Plotly write while they run is theirs, so it is given what it needs: their
// style elements get the nonce, and what they write as an attribute is set as properties, which is no text of a document.
// A style that comes in as HTML, in a name or a note, still counts for nothing. Runs before all of theirs.
(function () {
  const { nonce } = document.currentScript;
  const { createElement } = Document.prototype;
  const { setAttribute } = Element.prototype;
  Document.prototype.createElement = function (...named) {
    const made = createElement.apply(this, named);
    if (made instanceof HTMLStyleElement) made.nonce = nonce;
    return made;
  };
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
})();
