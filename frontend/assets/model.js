"use strict";
// What the page knows about its run: the hello, the run, its events, its scalars and the newest frame.
(function (lab) {
  const ACTIVE = ["queued", "starting", "running", "paused"];

  class Model {
    constructor() {
      this.store = new lab.Store();
      this.chartViews = { losses: "task", load: "load", conflict: "clash" };
      this.forget();
    }

    forget() {
      this.store.clear();
      this.hello = null;
      this.scalarNames = new Set();
      this.run = null;
      this.frame = null;
      this.events = [];
      this.markCache = null;
    }

    setHello(hello) {
      this.hello = hello;
      this.scalarNames = new Set(hello.scalar_names);
      this.run = hello.run;
      this.events = hello.events.slice();
      this.markCache = null;
    }

    addEvent(event) {
      this.events.push(event);
      this.markCache = null;
    }

    /** A worker's answer or a run message; whichever has the higher revision is the truth. */
    setRun(run) {
      this.run = run;
    }

    /** Marks for the charts of the present epoch, oldest first. */
    marks() {
      if (!this.markCache) this.markCache = lab.marks.marksOf(this.events, this.run ? this.run.epoch : 0);
      return this.markCache;
    }

    get active() {
      return Boolean(this.run) && ACTIVE.includes(this.run.status);
    }

    /** The kind of network; CDSP before it is known. */
    get architecture() {
      return this.hello && this.hello.config ? this.hello.config.model.architecture || "cdsp" : "cdsp";
    }

    /** Whether the model has a topology matrix A, and with it conflict and a backbone to share. */
    get hasTopology() {
      const said = this.hello && this.hello.topology;
      return typeof said === "boolean" ? said : this.architecture === "cdsp";
    }

    /** Whether tokens are routed to experts. */
    get hasRouting() {
      return !this.hello || this.hello.experts > 0;
    }

    get layers() {
      return this.hello ? this.hello.layers : 2;
    }
  }

  lab.Model = Model;
})((window.lab = window.lab || {}));
