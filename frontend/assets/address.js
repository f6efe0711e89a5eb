"use strict";
// The page's state in its link: #run=...&layer=2&view=logits&theme=dark
(function (lab) {
  const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  /** Change some entries; null removes one. Leaves no trail in the browser's history. */
  function write(changes) {
    const entries = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) entries.delete(name);
      else entries.set(name, value);
    }
    history.replaceState(null, "", `${location.pathname}#${entries}`);
  }

  lab.address = { read, write };
})((window.lab = window.lab || {}));
