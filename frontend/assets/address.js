"use strict";
// The page's state in its link: #run=...&layer=2&view=logits&theme=dark
(function (lab) {
  const read = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  /** Change some entries; null removes one. Only with `push` it can be gone back from. */
  function write(changes, push = false) {
    const entries = new URLSearchParams(location.hash.slice(1));
    for (const [name, value] of Object.entries(changes)) {
      if (value === null) entries.delete(name);
      else entries.set(name, value);
    }
    const link = `${location.pathname}#${entries}`;
    if (push) history.pushState(null, "", link);
    else history.replaceState(null, "", link);
  }

  lab.address = { read, write };
})((window.lab = window.lab || {}));
