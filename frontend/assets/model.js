"use strict";
// What the page knows about its run: the hello, the run, its events, its scalars and the newest frame.
(function (lab) {
  const ACTIVE = ["queued", "starting", "running", "paused"];

  class Model {
    constructor() {
      this.store = new lab.Store();
      this.lossView = "task";
      this.forget();
    }

    forget() {
      this.store.clear();
      this.hello = null;
      this.run = null;
      this.frame = null;
      this.events = [];
      this.markCache = null;
    }

    setHello(hello) {
      this.hello = hello;
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

    get layers() {
      return this.hello ? this.hello.layers : 2;
    }
  }

  lab.Model = Model;
})((window.lab = window.lab || {}));
