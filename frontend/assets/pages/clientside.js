"use strict";
// What the Dash pages do in the browser itself: the theme, going to what a link names, and how cells of a table read.
(function () {
  const root = document.documentElement;

  function show(theme, remember) {
    root.dataset.theme = theme;
    if (remember) localStorage.setItem("theme", theme);
    return theme;
  }

  let follows = false;
  function followSystem() {
    if (follows) return;
    follows = true;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
      if (localStorage.getItem("theme")) return;
      window.dash_clientside.set_props("theme", { data: show(event.matches ? "dark" : "light", false) });
    });
  }

  let gone = "";
  const SOON_MS = 50;
  const PATIENCE = 60;

  /** Scroll to an element and give it the focus, as soon as it is there. */
  function reach(id, tries) {
    const element = document.getElementById(id);
    if (!element) {
      if (tries) setTimeout(() => reach(id, tries - 1), SOON_MS);
      return;
    }
    element.scrollIntoView({ block: id.startsWith("claim-") ? "center" : "start" });
    element.focus({ preventScroll: true });
  }

  /** Dash makes elements anew when it draws them again: what had the focus keeps it, by its id. */
  function keepFocus() {
    let focused = "";
    document.addEventListener("focusin", (event) => (focused = event.target.id));
    document.addEventListener("focusout", ({ target }) => setTimeout(() => {
      if (target.isConnected) focused = document.activeElement.id; // it was left, not taken away
    }));
    new MutationObserver(() => {
      const lost = focused && (!document.activeElement || document.activeElement === document.body);
      if (lost) document.getElementById(focused)?.focus({ preventScroll: true });
    }).observe(document.documentElement, { childList: true, subtree: true });
  }
  keepFocus();

  /** What stays as it is comes as HTML (`written` in frontend/rendered.py): it is no component of React. */
  function writeHtml() {
    const write = (element) => {
      element.innerHTML = element.dataset.html;
      element.removeAttribute("data-html");
      for (const each of element.querySelectorAll("[data-style]")) each.style.cssText = each.dataset.style;
    };
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes } of changes) {
        for (const node of type === "attributes" ? [target] : addedNodes) {
          if (!(node instanceof Element)) continue;
          if (node.matches("[data-html]")) write(node);
          node.querySelectorAll("[data-html]").forEach(write);
        }
      }
    }).observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-html"] });
  }
  writeHtml();

  let follows_squares = false;
  /** Names of the squares that were pressed, the newest first. */
  let picked = [];

  /** What the pointer or the focus is on stands at the side; a press keeps it there, beside the one pressed before. */
  function followSquares() {
    if (follows_squares) return;
    follows_squares = true;
    let timer = 0;
    const tell = (names) => {
      clearTimeout(timer);
      timer = setTimeout(() => window.dash_clientside.set_props("map-under", { data: names }), SOON_MS);
    };
    const nameOf = (event) => event.target.closest?.("[data-square]")?.dataset.square;
    const mark = () => {
      for (const each of document.querySelectorAll("[data-square]")) {
        const place = picked.indexOf(each.dataset.square);
        each.setAttribute("aria-pressed", String(place >= 0));
        each.dataset.picked = place < 0 ? "" : place ? "before" : "now";
      }
    };
    for (const kind of ["pointerover", "focusin"]) {
      document.addEventListener(kind, (event) => {
        const name = nameOf(event);
        if (name && !picked.length) tell([name]);
      });
    }
    document.addEventListener("click", (event) => {
      const name = nameOf(event);
      if (!name) return;
      picked = picked.includes(name) ? picked.filter((each) => each !== name) : [name, ...picked].slice(0, 2);
      tell(picked.length ? picked : [name]);
      mark();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") picked = [];
      mark();
      moveAmongSquares(event, nameOf(event));
    });
    new MutationObserver(mark).observe(document.getElementById("map-grid"), { childList: true });
    const choices = { childList: true, subtree: true, attributes: true, attributeFilter: ["role", "aria-selected"] };
    new MutationObserver(nameChoices).observe(document.getElementById("page"), choices);
    nameChoices();
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

  let wasOpened = false;
  const COPIED_MS = 2000;

  const none = (value) => value === null || value === undefined || !Number.isFinite(value);

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pages: {
      squares() {
        followSquares();
        return true;
      },
      theme(clicks) {
        followSystem();
        return clicks ? show(root.dataset.theme === "dark" ? "light" : "dark", true) : root.dataset.theme;
      },
      /** What the `?` in the header and the way back from it do; the dialog is modal, so Escape closes it, too. */
      help() {
        const asked = window.dash_clientside.callback_context.triggered_id;
        const dialog = document.getElementById("help");
        if (asked === "help-open") dialog.showModal();
        if (asked === "help-close") dialog.close();
      },
      /** What a link to the map asks for, when the page is opened by it: the measure, the layer, what squares show. */
      askedOfMap(search) {
        const { no_update } = window.dash_clientside;
        const asked = new URLSearchParams(wasOpened ? "" : search);
        wasOpened = true;
        return ["measure", "layer", "view"].map((name) => asked.get(name) ?? no_update);
      },
      /** Put a link to the map into the clipboard, as it is shown now. */
      async copyMap(clicks, shown, ...chosen) {
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
      /** Mark the cards with how far one has come, and lead to the first that is not done. */
      lessons(cards) {
        const states = lessonStates();
        const keys = (cards || []).map((each) => each.props.children.props.id.replace(/^lesson-/, ""));
        const next = keys.find((key) => states[key] !== "done") || keys[0];
        setTimeout(() => {
          for (const mark of document.querySelectorAll("[data-lesson-state]")) {
            mark.dataset.state = states[mark.dataset.lessonState] || "";
          }
        }, SOON_MS);
        if (!next) return [[], "/lessons", true];
        const text = keys.some((key) => states[key]) ? `Go on with lesson ${keys.indexOf(next) + 1}` : "Begin";
        return [text, `/#lesson=${next}`, false];
      },
      goto(drawn, target) {
        const link = `${target} ${location.href}`;
        if (target && gone !== link) {
          gone = link;
          reach(target, PATIENCE);
        }
        return window.dash_clientside.no_update;
      },
    },
  });

  const SIZES = [
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ];
  /** How far a visitor has come with the lessons, by their keys: half once one is opened, done once it is answered. */
  function lessonStates() {
    try {
      return JSON.parse(localStorage.getItem("lessons") || "{}");
    } catch {
      return {};
    }
  }

  /** A link of a cell; with nothing to lead to, nothing. */
  const cellLink = (href, text, label) =>
    href && window.React.createElement("a", { href, className: "button", "aria-label": label }, text);

  window.dashAgGridComponentFunctions = Object.assign(window.dashAgGridComponentFunctions || {}, {
    RecordedName({ data }) {
      const below = [data.preset, data.what, `seed ${data.seed}`].filter(Boolean).join(", ");
      const make = window.React.createElement;
      return make("span", { className: "recorded-name" }, make("b", null, data.name), make("small", null, below));
    },
    RecordedFilm({ data }) {
      const make = window.React.createElement;
      if (data.cut === null) return make("span", { className: "recorded-none" }, "none");
      const strips = ["light", "dark"].map((theme) =>
        make("img", {
          key: theme,
          alt: "",
          className: `film-strip only-${theme}`,
          loading: "lazy",
          src: `/films/${encodeURIComponent(data.name)}.png?theme=${theme}`,
        }),
      );
      return make("span", { className: "recorded-film" }, ...strips);
    },
    RecordedLinks({ data }) {
      const open = cellLink(data.open, "Open", `Open ${data.name} in the Lab`);
      const compare = cellLink(data.compare, "Compare", `Compare ${data.name} with ${data.beside}`);
      return window.React.createElement("span", { className: "recorded-links" }, open, compare);
    },
  });

  window.dashAgGridFunctions = Object.assign(window.dashAgGridFunctions || {}, {
    runCount: (value) => (none(value) ? "" : value.toLocaleString("en-US")),
    runPercent: (value) => (none(value) ? "" : (100 * value).toFixed(1)),
    runSize(value) {
      if (none(value)) return "";
      const [scale, unit] = SIZES.find(([each]) => value >= each) || [1, "B"];
      return `${Number((value / scale).toPrecision(3))} ${unit}`;
    },
    runTime(value) {
      if (none(value)) return "";
      const time = new Date(value);
      const clock = time.toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit" });
      const now = new Date();
      if (time.toDateString() === now.toDateString()) return clock;
      const year = time.getFullYear() === now.getFullYear() ? undefined : "2-digit";
      return `${time.toLocaleDateString("en-GB", { day: "numeric", month: "short", year })} ${clock}`;
    },
    /** The table in the page's own colours, which follow the theme by themselves. */
    runTheme: (quartz) =>
      quartz.withParams({
        fontFamily: "inherit",
        fontSize: 13,
        backgroundColor: "var(--panel)",
        foregroundColor: "var(--ink)",
        headerTextColor: "var(--muted)",
        headerBackgroundColor: "var(--panel)",
        borderColor: "var(--line)",
        accentColor: "var(--accent)",
        cellHorizontalPadding: 12,
        wrapperBorderRadius: 12,
        rowHoverColor: "var(--control)",
        selectedRowBackgroundColor: "var(--control)",
        browserColorScheme: "inherit",
      }),
  });
})();
