"use strict";
// Start of the page: wait for the layout, connect the parts, and run the one drawing loop.
(function (lab) {
  const SECOND_MS = 1000;
  const NEXT_LOOK_MS = 3000; // for the first run, while there is none
  const byId = (id) => document.getElementById(id);

  function whenLaidOut(start) {
    if (byId("app")) return start();
    const watcher = new MutationObserver(() => {
      if (!byId("app")) return;
      watcher.disconnect();
      start();
    });
    watcher.observe(document.body, { childList: true, subtree: true });
  }

  /** Plotly is downloaded from the first byte on, but run only now: the pictures need not wait for it. */
  function loadPlotly() {
    const script = document.createElement("script");
    script.src = "/assets/vendor/plotly-cartesian.min.js";
    document.head.append(script);
  }

  function start() {
    loadPlotly();
    const model = new lab.Model();
    lab.colours.build();

    const pictures = new lab.Pictures(model, (changes) => {
      lab.address.write(changes);
      charts.invalidate();
    });
    const scrubber = new lab.Scrubber(model, pin);
    const charts = new lab.Charts(
      () => ({ model, layer: pictures.layer, untilStep: pinnedStep() }),
      (step) => scrubber.seekStep(step),
    );
    /** Where the charts are looked back at; a moment of an earlier epoch is none of theirs. */
    function pinnedStep() {
      const { pinned } = scrubber;
      return pinned && model.run && pinned.epoch === model.run.epoch ? pinned.step : null;
    }
    const status = new lab.Status(model, () => scrubber.pinned);
    const log = new lab.EventLog((step, epoch) => scrubber.seekStep(step, epoch));
    const controls = new lab.Controls(model, (runId) => openRun(runId));
    const runs = new lab.RunList(model, (runId) => openRun(runId));
    const notice = new lab.Notice({
      startLive: () => controls.start("live", 0, byId("new-run-note")),
      openNewest: () => openNewest(),
    });

    const stream = new lab.Stream({
      state: (state) => status.connection(state),
      hello(hello) {
        const another = !model.run || model.run.run_id !== hello.run.run_id || model.run.epoch !== hello.run.epoch;
        if (another) model.store.clear();
        model.setHello(hello);
        notice.hide();
        pictures.setUp();
        charts.setUp();
        log.showAll(model.events);
        lab.facts.show(model);
        runChanged();
      },
      run(run) {
        const device = JSON.stringify(run.device) !== JSON.stringify(model.run && model.run.device);
        model.setRun(run);
        if (device) lab.facts.show(model);
        runChanged();
      },
      event(event) {
        model.addEvent(event);
        log.add(event);
        charts.invalidate();
      },
      reset() {
        scrubber.live();
        model.store.clear();
        model.frame = null;
        model.markCache = null;
        charts.invalidate();
      },
      scalars(frame, snapshot) {
        if (snapshot) model.store.clear();
        if (model.hello) model.store.append(model.hello.scalar_names, frame.scalars, snapshot);
        charts.invalidate();
      },
      missing: (runId) => {
        model.forget();
        notice.deadLink(runId);
        runChanged();
      },
      trouble: (reason) => lab.announce(reason),
    });

    function runChanged() {
      controls.refresh();
      status.refresh();
      runs.follow();
    }

    /** Show a stored frame, or with null the live one again. */
    function pin(frame) {
      const shown = frame || model.frame;
      if (shown) pictures.show(shown);
      charts.invalidate();
      status.refresh();
    }

    function openRun(runId) {
      scrubber.live();
      model.forget();
      log.showAll([]);
      charts.invalidate();
      const { run: before } = lab.address.read();
      lab.address.write({ run: runId }, Boolean(before) && before !== runId);
      controls.toggleSheet(false);
      status.connection("open");
      stream.open(runId);
    }

    async function openNewest() {
      const answer = await lab.request("GET", "/api/runs");
      if (!answer.ok) {
        notice.noServer(answer.reason);
        setTimeout(openNewest, SECOND_MS);
        return;
      }
      const runs = answer.body;
      const newest = runs.find((run) => ["queued", "starting", "running", "paused"].includes(run.status)) || runs[0];
      if (newest) openRun(newest.run_id);
      else {
        status.refresh();
        notice.noRun();
        setTimeout(() => stream.runId || openNewest(), NEXT_LOOK_MS);
      }
    }

    function setTheme(theme, remember) {
      lab.theme.show(theme, remember);
      lab.colours.build();
      pictures.repaint();
      charts.invalidate();
      if (remember) lab.address.write({ theme });
    }

    const help = byId("shortcuts");
    byId("theme-toggle").addEventListener("click", () => setTheme(lab.theme.other(), true));
    byId("shortcuts-open").addEventListener("click", () => help.showModal());
    byId("shortcuts-close").addEventListener("click", () => help.close());
    document.querySelector(".skip-link").addEventListener("click", (event) => {
      event.preventDefault(); // the link's hash holds the page's state
      byId("pictures").focus();
    });
    lab.theme.followSystem((theme) => setTheme(theme, false));
    lab.keyboard.listen({
      runOrPause: () => controls.runOrPause(),
      step: () => controls.step(),
      reset: () => controls.reset(),
      live: () => scrubber.live(),
      theme: () => setTheme(lab.theme.other(), true),
      rawLogits: () => pictures.setRaw(!pictures.raw),
      layer: (index) => pictures.setLayer(index),
      help: () => help.showModal(),
      dismiss: () => controls.toggleSheet(false),
    });

    function draw(now) {
      requestAnimationFrame(draw);
      const frame = model.hello && stream.take();
      if (frame) {
        model.frame = frame;
        const began_ms = performance.now();
        if (!scrubber.pinned) pictures.show(frame);
        scrubber.follow(frame);
        stream.ack(frame);
        lab.stats.drawn(frame, performance.now() - began_ms);
      }
      charts.tick(now);
    }

    setInterval(() => status.refresh(), SECOND_MS / 4);
    setInterval(() => pictures.describe(), SECOND_MS);
    addEventListener("popstate", () => {
      const { run, layer, view } = lab.address.read();
      if (run && run !== stream.runId) openLinked(run);
      pictures.setLayer(Math.max(0, Number(layer) - 1) || 0);
      pictures.setRaw(view === "logits");
    });

    Object.assign(lab, { model, stream, charts, pictures, scrubber, controls });
    const { run, layer, view } = lab.address.read();
    log.showAll([]);
    pictures.setUp();
    if (layer) pictures.layer = Math.max(0, Number(layer) - 1) || 0;
    if (view === "logits") pictures.setRaw(true);
    pictures.repaint();
    runChanged();
    if (run) openLinked(run);
    else openNewest();
    requestAnimationFrame(draw);

    async function openLinked(runId) {
      const answer = await lab.request("GET", `/api/runs/${encodeURIComponent(runId)}`);
      if (answer.status === 404) notice.deadLink(runId);
      else openRun(runId);
    }
  }

  whenLaidOut(start);
})((window.lab = window.lab || {}));
