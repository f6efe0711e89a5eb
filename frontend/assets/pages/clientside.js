"use strict";
// What the Dash pages do in the browser itself: the theme, going to what a link names, and how cells of a table read.
// The map's own is in map.js.
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

  const none = (value) => value === null || value === undefined || !Number.isFinite(value);

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    pages: {
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
