// The Lab's entry: what is of the page and not of a run, and the one drawing loop.

import { readAddress, writeAddress } from "./core/address.js";
import { linkedRun } from "./core/recorded.js";
import { buildColours } from "./core/colours.js";
import { stats } from "./core/stats.js";
import { closeFolds, closeFoldsElsewhere } from "./controls/folds.js";
import { listen, setSingleKeys, singleKeysAct } from "./controls/keyboard.js";
import { element } from "./core/element.js";
import { settings } from "./core/settings.js";
import { lensOf } from "./pictures/lens_switch.js";
import { Classroom } from "./room/classroom.js";
import { Present } from "./room/present.js";
import { RunView } from "./run_view.js";
import { introduce } from "./shell/introduction.js";
import { followSystem, otherTheme, showTheme } from "./shell/theme.js";
import { twinLensOf } from "./twin/twin_figure.js";

/** @import { Theme } from "./shell/theme.js" */

const REFRESH_MS = 250;
const DESCRIBE_MS = 1000;

sessionStorage.removeItem("modules"); // every module came: the next time one is missing the page may load itself again

/** Call `start` with the layout's root, once it is there. @param {(root: Element) => void} start */
function whenLaidOut(start) {
  const find = () => document.querySelector("[data-run-view]");
  const root = find();
  if (root) {
    start(root);
    return;
  }
  const watcher = new MutationObserver(() => {
    const made = find();
    if (!made) return;
    watcher.disconnect();
    start(made);
  });
  watcher.observe(document.body, { childList: true, subtree: true });
}

/** The layer that a link names, from 0. @param {string | undefined} layer */
const layerOf = (layer) => Math.max(0, Number(layer) - 1) || 0;

/** The runs that a link compares with. @param {string | undefined} names */
const besideOf = (names) => (names ?? "").split(",").filter(Boolean);

/**
 * The run that a link offers to start: a preset, and its controls where they are named.
 *
 * @param {Record<string, string>} address
 */
function offerOf({ start, ...entries }) {
  const named = Object.entries(entries).filter(([name]) => name in settings.controls);
  /** @type {Record<string, null>} */
  const rest = { start: null, ...Object.fromEntries(named.map(([name]) => [name, null])) };
  return { offer: { preset: start, controls: Object.fromEntries(named) }, rest };
}
/** The step that a link names; null for the newest. @param {string | undefined} step */
const stepOf = (step) => (step && /^\d{1,9}$/.test(step) ? Number(step) : null);

/** Where the class is brought to: what is looked at, without what is of this page alone. @param {RunView} view */
function placeOf(view) {
  const { place } = view;
  for (const own of ["theme", "recipe", "lesson"]) place.delete(own);
  return String(place);
}

/** Go to a place of the Lab. @param {RunView} view @param {string} place what stands behind # in a link to it */
async function goTo(view, place) {
  const { layer, lens, with: names, step, ...rest } = readAddress(`#${place}`);
  const [run, beside] = [linkedRun(rest), besideOf(names)];
  if (!run) return;
  const shown = [view.stream.runId, ...view.comparison.guests.map(({ runId }) => runId)];
  if (shown.join() !== [run, ...beside].join()) await view.openLinked(run, beside, lens);
  view.pictures.setLayer(layerOf(layer));
  if (beside.length) view.comparison.setLens(twinLensOf(lens));
  else view.pictures.setLens(lensOf(lens));
  view.lookAt(stepOf(step));
}

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {Element} root */
function begin(root) {
  buildColours();
  const opened = readAddress();
  const run = linkedRun(opened);
  const { layer, lens, with: beside, start } = opened;
  const classroom = new Classroom(
    { button: byId("class-open"), dialog: /** @type {HTMLDialogElement} */ (byId("room-dialog")) },
    {
      here: () => placeOf(view),
      go: (place) => goTo(view, place),
      lesson: (key) => view.lesson.open(key),
      changed: () => view.lesson.follow(),
    },
    !run && !opened.lesson && !start,
  );
  const present = new Present(root, byId("present-toggle"));
  const view = new RunView(root, {
    room: classroom.room,
    asked: (asker) => classroom.enter(asker),
    addressed: (changes) => {
      const before = linkedRun(readAddress());
      const after = changes.recorded ? linkedRun({ recorded: changes.recorded }) : changes.run;
      writeAddress(changes, Boolean(after && before && before !== after)); // Back leads to the run before
    },
    titled: (title) => {
      document.title = `${title} · Topology Lab`;
    },
  });
  const views = [view];
  view.pictures.layer = layerOf(layer);
  view.pictures.lens = lensOf(lens);
  view.repaint();

  /**
   * @param {Theme} theme
   * @param {boolean} remember
   */
  const setTheme = (theme, remember) => {
    showTheme(theme, remember);
    buildColours();
    for (const each of views) each.repaint();
    if (remember) writeAddress({ theme });
  };
  const switchTheme = () => setTheme(otherTheme(), true);
  followSystem((theme) => setTheme(theme, false));

  const shortcuts = /** @type {HTMLDialogElement} */ (byId("shortcuts"));
  byId("theme-toggle").addEventListener("click", switchTheme);
  byId("shortcuts-open").addEventListener("click", () => shortcuts.showModal());
  byId("shortcuts-close").addEventListener("click", () => shortcuts.close());
  document.querySelector(".skip-link")?.addEventListener("click", (event) => {
    event.preventDefault(); // the link's hash holds the page's state
    /** @type {HTMLElement | null} */ (root.querySelector('[data-part="centre"]'))?.focus();
  });
  const keys = element("input", { type: "checkbox", id: "single-keys", checked: singleKeysAct() });
  keys.addEventListener("change", () => setSingleKeys(keys.checked));
  byId("keys-place").append(keys);
  const introduced = introduce(root);
  const dismiss = () => {
    closeFolds();
    introduced();
    if (!document.querySelector("dialog[open]")) present.leave(); // Escape closes what lies over the page first
    for (const each of views) {
      each.controls.toggleSheet(false);
      each.rail.close();
      each.pictures.focus.free();
      each.comparison.figure.focus.free();
    }
  };
  closeFoldsElsewhere();
  listen(
    {
      runOrPause: () => view.controls.transport.runOrPause(),
      step: () => view.controls.transport.step(),
      live: () => view.scrubber.live(),
      layer: (place) => view.pictures.setLayer(place),
      lens: () => view.nextLens(),
      theme: switchTheme,
      present: () => present.toggle(),
      help: () => shortcuts.showModal(),
    },
    { dismiss, isBlocked: () => document.querySelector("dialog[open]") !== null },
  );

  addEventListener("popstate", () => {
    const now = readAddress();
    if (now.lesson && now.lesson !== view.lesson.key) {
      view.lesson.open(now.lesson);
      return;
    }
    if (!now.lesson) view.lesson.close(); // it hides what tells its answer, of another run too
    const named = linkedRun(now);
    if (named && named !== view.stream.runId) {
      view.openLinked(named, besideOf(now.with), now.lens);
    } else view.comparison.openLinked(besideOf(now.with));
    view.pictures.setLayer(layerOf(now.layer));
    if (!now.with) view.pictures.setLens(lensOf(now.lens));
  });
  setInterval(() => views.forEach((each) => each.refresh()), REFRESH_MS);
  setInterval(() => views.forEach((each) => each.describe()), DESCRIBE_MS);

  /** @param {number} now */
  const draw = (now) => {
    requestAnimationFrame(draw);
    for (const each of views) each.draw(now);
  };

  window.topologyLab = { views, stats };
  if (opened.lesson) view.lesson.open(opened.lesson);
  else if (run) {
    const step = stepOf(opened.step);
    view.openLinked(run, besideOf(beside), lens, opened.recipe, step).then(() => view.lookAt(step));
  } else view.openNewest();
  if (opened.class !== undefined) {
    writeAddress({ class: null });
    classroom.ask();
  }
  if (start) {
    const { offer, rest } = offerOf(opened);
    writeAddress(rest);
    view.controls.newRun.offer(offer);
  }
  requestAnimationFrame(draw);
}

whenLaidOut(begin);
