"use strict";
// One tooltip for all pictures, and the live region that screen readers follow.
(function (lab) {
  const MARGIN = 8;

  function show(text, x, y) {
    const box = document.getElementById("tooltip");
    box.textContent = text;
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    const left = Math.max(MARGIN, Math.min(innerWidth - width - MARGIN, x - width / 2));
    const above = y - height - MARGIN;
    box.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > MARGIN ? above : y + 40)}px)`;
  }

  const hide = () => {
    document.getElementById("tooltip").hidden = true;
  };

  lab.tooltip = { show, hide };
  lab.announce = (text) => {
    document.getElementById("announcer").textContent = text;
  };
})((window.lab = window.lab || {}));
