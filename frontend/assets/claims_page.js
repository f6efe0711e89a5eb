"use strict";
// The page of claims: stored results once, the state of the studies again and again, more often while one runs.
(function (lab) {
  const BUSY_MS = 1000;
  const CALM_MS = 5000;
  const VERDICTS = ["holds", "mixed", "fails"];
  const byId = (id) => document.getElementById(id);

  let stored = { studies: [] };
  const studies = new Map();

  async function start() {
    byId("theme-toggle").addEventListener("click", () => lab.theme.show(lab.theme.other(), true));
    lab.theme.followSystem((theme) => lab.theme.show(theme, false));
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "d" && !event.ctrlKey && !event.metaKey && !event.altKey) lab.theme.show(lab.theme.other(), true);
    });
    const answer = await lab.request("GET", "/claims/evidence.json");
    if (answer.ok) stored = answer.body;
    showMade(answer);
    for (const button of filters()) button.addEventListener("click", () => choose(button.dataset.verdict));
    await look();
    unfoldAddressed();
    addEventListener("hashchange", unfoldAddressed);
    document.addEventListener("visibilitychange", () => document.hidden || look());
  }

  function showMade(answer) {
    const claims = stored.studies.flatMap((study) => study.claims);
    for (const word of VERDICTS) byId(`tally-${word}`).textContent = String(claims.filter((claim) => claim.verdict === word).length);
    for (const id of ["tallies", "filter"]) byId(id).hidden = !claims.length;
    const ofPaper = claims.filter((claim) => claim.source.startsWith("arXiv:2512.20291")).length;
    const studied = new Set(stored.studies.map(({ study }) => study.replace(/-full$/, ""))).size;
    byId("made").textContent = stored.missing || answer.reason || `${claims.length} claims of ${studied} studies, ${ofPaper} of them the paper's or drawn from its text.`;
    byId("caveat").textContent = lab.format.minus(stored.caveat || "");
  }

  const filters = () => [...document.querySelectorAll("#filter button")];
  let filter = "all";

  function choose(word) {
    filter = word;
    for (const button of filters()) button.setAttribute("aria-pressed", String(button.dataset.verdict === word));
    for (const study of studies.values()) study.showOnly(word);
  }

  /** The study that the link names, #study-NAME. */
  function unfoldAddressed() {
    if (!location.hash.startsWith("#study-")) return;
    const study = [...studies.values()].find(({ element }) => location.hash === `#${element.id}`);
    byId("unknown").textContent = study ? "" : `There is no study ${location.hash.slice(7, 47)}.`;
    if (!study) return;
    if (study.element.hidden) choose("all");
    study.fold.open = true;
    study.element.scrollIntoView();
  }

  let timer = 0;

  /** Ask how the studies are, and again later. */
  async function look() {
    clearTimeout(timer);
    const answer = await lab.request("GET", "/api/studies");
    show(answer);
    const busy = [...studies.values()].some((study) => study.isRunning);
    clearTimeout(timer); // two looks at once leave one timer
    if (!document.hidden) timer = setTimeout(look, busy ? BUSY_MS : CALM_MS);
  }

  function show(answer) {
    const host = byId("studies");
    const note = byId("unavailable");
    const known = answer.ok ? answer.body.studies : [];
    const someRuns = known.some((live) => live.state === "running");
    note.textContent = !answer.ok ? answer.reason : someRuns ? "" : answer.body.unavailable || "";
    const names = [...new Set([...known.map((live) => live.study), ...stored.studies.map((study) => study.study)])];
    if (host.getAttribute("aria-busy")) {
      if (!names.length) return;
      host.removeAttribute("aria-busy");
      host.replaceChildren();
    }
    for (const name of names) {
      const live = known.find((each) => each.study === name);
      let study = studies.get(name);
      if (!study) {
        study = new lab.Study(name, stored.studies.find((each) => each.study === name) || null, act);
        studies.set(name, study);
        study.showOnly(filter);
        host.append(study.element);
        if (!live) study.showStored();
      }
      if (live) study.show(live, answer.body.unavailable);
      else if (!answer.ok) study.button.disabled = true;
    }
  }

  async function act(name, verb) {
    const answer = await lab.request("POST", `/api/studies/${encodeURIComponent(name)}/${verb}`);
    await look();
    if (!answer.ok) {
      const { note } = studies.get(name);
      note.textContent = answer.reason;
      note.classList.add("is-wrong");
    }
  }

  start();
})((window.lab = window.lab || {}));
