"use strict";
// What the page of maps does in the browser itself: its squares, which one is looked at, the film, a link to copy.
(function () {
  const SOON_MS = 50;

  /** Squares as they stand in the grid: their HTML by name, and that of what stands around them. */
  let drawn = { map: "", around: "", squares: new Map() };

  /** Styles come as data: as an attribute the page's policy would refuse them. */
  function style(element) {
    for (const each of element.querySelectorAll("[data-style]")) each.style.cssText = each.dataset.style;
  }

  function made(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    style(template.content);
    return template.content;
  }

  /** Draw the map; of one that fills in only the squares that changed, so that the others keep pointer and focus. */
  function draw({ map, around, squares }) {
    const grid = document.getElementById("map-grid");
    const now = new Map(squares);
    const names = [...now.keys()];
    const sameMap = grid.firstChild && around === drawn.around && now.size === drawn.squares.size;
    if (sameMap && names.every((name) => drawn.squares.has(name))) {
      for (const name of names.filter((each) => now.get(each) !== drawn.squares.get(each))) {
        renew(squareOf(name), made(now.get(name)).firstElementChild);
      }
    } else {
      grid.replaceChildren(made(around + [...now.values()].join("")));
    }
    if (drawn.map && map !== drawn.map) forget();
    drawn = { map, around, squares: now };
  }

  /** A square that changed stays the same button: the pointer that rests on it neither leaves it nor comes anew. */
  function renew(square, now) {
    for (const name of now.getAttributeNames().filter((each) => each !== "style")) {
      square.setAttribute(name, now.getAttribute(name));
    }
    square.style.cssText = now.style.cssText;
    square.replaceChildren(...now.childNodes);
  }

  /** Squares of another map are other squares, whatever they are called. */
  function forget() {
    picked = [];
    tell(null);
  }

  const squareOf = (name) => document.querySelector(`[data-square="${name}"]`);

  /** Where the pointer came to a square last; at the same place again it did not move, what is under it did. */
  let pointedAt = "";
  let follows = false;
  /** Names of the squares that were pressed, the newest first. */
  let picked = [];

  function mark() {
    for (const each of document.querySelectorAll("[data-square]")) {
      const place = picked.indexOf(each.dataset.square);
      each.setAttribute("aria-pressed", String(place >= 0));
      each.dataset.picked = place < 0 ? "" : place ? "before" : "now";
    }
  }

  let telling = 0;

  function tell(names) {
    clearTimeout(telling);
    telling = setTimeout(() => window.dash_clientside.set_props("map-under", { data: names }), SOON_MS);
  }

  /** What the pointer or the focus is on stands at the side; a press keeps it there, beside the one pressed before. */
  function followSquares() {
    if (follows) return;
    follows = true;
    const nameOf = (event) => event.target.closest?.("[data-square]")?.dataset.square;
    for (const kind of ["pointerover", "focusin"]) {
      document.addEventListener(kind, (event) => {
        const place = kind === "focusin" ? "" : `${event.clientX} ${event.clientY}`;
        const rests = place && place === pointedAt;
        pointedAt = place || pointedAt;
        const name = nameOf(event);
        if (name && !picked.length && !rests) tell([name]);
      });
    }
    document.addEventListener("click", (event) => {
      goOn(event.target.closest?.("#map-open"));
      const name = nameOf(event);
      if (!name) return;
      picked = picked.includes(name) ? picked.filter((each) => each !== name) : [name, ...picked].slice(0, 2);
      tell(picked.length ? picked : [name]);
      mark();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && picked.length) {
        tell(picked.slice(0, 1)); // it stays at the side, and is compared with none
        picked = [];
        mark();
      }
      moveAmongSquares(event, nameOf(event));
    });
    const choices = { childList: true, subtree: true, attributes: true, attributeFilter: ["role", "aria-selected"] };
    new MutationObserver(nameChoices).observe(document.getElementById("page"), choices);
    nameChoices();
  }

  const PRESSED_MS = 3000;

  /** A press of "Go on from here" is told by itself: as the card's own callback it would be asked, and lost, with each new card. */
  function goOn(button) {
    if (!button) return;
    button.disabled = true;
    setTimeout(() => (button.disabled = false), PRESSED_MS);
    window.dash_clientside.set_props("map-going", { data: Date.now() });
  }

  /** Dash calls a list of radio buttons a list box, which may hold no buttons: they are what they are, under its name. */
  function nameChoices() {
    for (const list of document.querySelectorAll(".dash-options-list[role=listbox]")) {
      list.setAttribute("role", list.querySelector("[type=radio]") ? "radiogroup" : "group");
      const label = list.closest("[data-choice]")?.dataset.choice;
      if (label) list.setAttribute("aria-label", label);
    }
    for (const option of document.querySelectorAll(".dash-options-list :is([role=option], [aria-selected])")) {
      option.removeAttribute("role");
      option.removeAttribute("aria-selected");
    }
    // a field that only hands the focus of a label on: hidden, it must not be reached by Tab, as its button is
    for (const target of document.querySelectorAll(".dash-dropdown-focus-target")) target.tabIndex = -1;
  }

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  /** An arrow goes to the next square in its direction. */
  function moveAmongSquares(event, name) {
    const step = STEPS[event.key];
    if (!step || !name) return;
    const [x, y] = name.split("-").map(Number);
    const next = document.querySelector(`[data-square="${x + step[0]}-${y + step[1]}"]`);
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const MOMENT_MS = 150;
  const CALM_MOMENT_MS = 1000;
  let playing = 0;

  /** Go from a moment of the map's film to its last, then rest there. */
  function play(from, last) {
    const { set_props } = window.dash_clientside;
    let moment = from;
    playing = setInterval(() => {
      moment += 1;
      set_props("map-moment", { value: moment });
      if (moment >= last) rest();
    }, calm.matches ? CALM_MOMENT_MS : MOMENT_MS);
  }

  function rest() {
    clearInterval(playing);
    playing = 0;
    window.dash_clientside.set_props("map-play", { children: "Play" });
  }

  const VIEWS = ["Pictures", "Numbers", "Film"];
  let wasOpened = false;
  const COPIED_MS = 2000;

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    map: {
      squares(map) {
        if (!map) return window.dash_clientside.no_update;
        draw(map);
        followSquares();
        mark();
        return true;
      },
      /** What a link to the map asks for, when the page is opened by it: the measure, the layer, what squares show. */
      asked(search) {
        const { no_update } = window.dash_clientside;
        const asked = new URLSearchParams(wasOpened ? "" : search);
        wasOpened = true;
        const view = VIEWS.includes(asked.get("view")) ? asked.get("view") : no_update;
        return [asked.get("measure") ?? no_update, asked.get("layer") ?? no_update, view];
      },
      /** What is chosen, where it is one of the choices; else the first of them. */
      among(options, value) {
        const { no_update } = window.dash_clientside;
        const values = options.map((each) => each.value ?? each);
        return !values.length || values.includes(value) ? no_update : values[0];
      },
      /** Put a link to the map into the clipboard, as it is shown now. */
      async copy(clicks, shown, ...chosen) {
        const { no_update, set_props } = window.dash_clientside;
        if (!clicks) return no_update;
        const asked = new URLSearchParams({ map: shown || "" });
        for (const [place, name] of ["measure", "layer", "view"].entries()) asked.set(name, chosen[place] || "");
        const address = `${location.origin}${location.pathname}?${asked}`;
        setTimeout(() => set_props("map-copy", { children: "Copy link" }), COPIED_MS);
        try {
          await navigator.clipboard.writeText(address);
          return "Copied";
        } catch {
          history.replaceState(null, "", address);
          return "It is in the address bar";
        }
      },
      /** The film of the map begins by itself where motion is welcome; the button stops it, and goes on or plays it anew. */
      film(steps, clicks, value) {
        const { callback_context, no_update } = window.dash_clientside;
        const last = Math.max(1, (steps || []).length - 1);
        const pressed = callback_context.triggered_id === "map-play";
        const stops = playing || !steps?.length;
        if (playing) rest();
        if (stops && pressed) return [last, no_update, "Play"];
        if (!steps?.length || (calm.matches && !pressed)) return [last, last, "Play"];
        const from = pressed && Number(value) < last ? Number(value) : 0;
        play(from, last);
        return [last, from, "Pause"];
      },
      /** Show a moment of the map's film in every square, and say its step. */
      moment(value, steps) {
        document.getElementById("map-grid").style.setProperty("--moment", value);
        if (!steps?.length) return "There is no film of this map: it has too many squares, or none that has begun.";
        const at = Math.min(Number(value), steps.length - 1);
        return `step ${steps[at].toLocaleString("en-US")} of ${steps[steps.length - 1].toLocaleString("en-US")}`;
      },
    },
  });
})();
