"use strict";
// The seven pictures: which frame, which layer, raw or not; and the switches in their panels.
(function (lab) {
  const SWITCHES = ["conflict", "routing", "routing-blind", "backbone", "time"];
  const MOST_WITH_WORD = 3; // more layers leave no room for it

  class Pictures {
    /** `onView(changes)` is told when the layer or the view changes, to keep the link up to date. */
    constructor(model, onView) {
      this.model = model;
      this.onView = onView;
      this.layer = 0;
      this.slots = [0, 1];
      this.raw = false;
      this.frame = null;
      const layerName = () => `layer ${this.layer + 1}`;
      this.topologies = [0, 1].map((slot) => new lab.Heatmap(`topology${slot}`, () => `Topology, layer ${this.slots[slot] + 1}`));
      this.conflict = new lab.Heatmap("conflict", () => `Gradient conflict, ${layerName()}`);
      this.routing = new lab.Heatmap("routing", () => `Routing with task ID, ${layerName()}`);
      this.blind = new lab.Heatmap("routing-blind", () => `Routing without task ID, ${layerName()}`);
      this.backbone = new lab.Heatmap("backbone", () => `Backbone, ${layerName()}`);
      this.all = [...this.topologies, this.conflict, this.routing, this.blind, this.backbone];
      for (const button of document.querySelectorAll("[data-raw]")) button.addEventListener("click", () => this.setRaw(button.dataset.raw === "true"));
      this.switchesFor = null;
    }

    /** Draw a frame. */
    show(frame) {
      this.frame = frame;
      const { hello } = this.model;
      if (!hello) return;
      const absent = lab.architectures.absent(this.model);
      const layer = frame.layers[Math.min(this.layer, frame.layers.length - 1)] || {}; // a dense net's frames hold no array
      this.topologies.forEach((map, slot) => {
        const shown = frame.layers[this.slots[slot]];
        if (shown && shown.connection) map.show(lab.matrices.topology(shown, this.raw));
        else map.say(absent.topology);
      });
      if (layer.conflict) this.conflict.show(lab.matrices.conflict(layer));
      else this.conflict.say(absent.conflict);
      for (const [map, array, blind] of [[this.routing, layer.routing, false], [this.blind, layer.routing_blind, true]]) {
        if (array) map.show(lab.matrices.routing(array, hello.tasks, blind));
        else map.say(absent.routing);
      }
      if (layer.subspace) this.backbone.show(lab.backbone(layer, hello.dims, hello.partitions));
      else this.backbone.say(absent.backbone);
    }

    /** What a model does not have is said before its first frame, too. */
    #sayAbsent() {
      const absent = lab.architectures.absent(this.model);
      if (!this.model.hasTopology) {
        for (const map of this.topologies) map.say(absent.topology);
        this.conflict.say(absent.conflict);
        this.backbone.say(absent.backbone);
      }
      if (!this.model.hasRouting) for (const map of [this.routing, this.blind]) map.say(absent.routing);
    }

    /** For screen readers; once a second is often enough. */
    describe() {
      for (const map of this.all) map.describe();
    }

    /** Colours changed: draw everything anew. */
    repaint() {
      lab.legends.show(this.raw, this.model.hello);
      if (this.frame) this.show(this.frame);
      else for (const map of this.all) map.redraw();
    }

    setLayer(layer) {
      if (layer < 0 || layer >= this.model.layers) return;
      this.layer = layer;
      this.#mark();
      this.onView({ layer: layer ? String(layer + 1) : null });
      this.repaint();
    }

    setRaw(raw) {
      this.raw = raw;
      for (const button of document.querySelectorAll("[data-raw]")) {
        button.setAttribute("aria-pressed", String(String(raw) === button.dataset.raw));
      }
      this.onView({ view: raw ? "logits" : null });
      this.repaint();
    }

    /** One button a layer in every panel that shows one layer; side by side for two, a choice for more. */
    setUp() {
      const { layers } = this.model;
      const box = document.getElementById("pictures");
      box.classList.toggle("one-layer", layers === 1);
      box.classList.toggle("no-topology", !this.model.hasTopology);
      box.classList.toggle("no-routing", !this.model.hasRouting);
      this.layer = Math.min(this.layer, layers - 1);
      if (this.switchesFor !== layers) {
        this.switchesFor = layers;
        this.slots = [0, Math.min(1, layers - 1)];
        for (const name of SWITCHES) this.#buildSwitch(`layers-${name}`, layers > 1 ? layers : 0, (l) => this.setLayer(l));
        for (const slot of [0, 1]) this.#buildSwitch(`slots-topology${slot}`, layers > 2 ? layers : 0, (l) => this.#setSlot(slot, l));
      }
      this.#mark();
      const runId = this.model.run ? this.model.run.run_id : null;
      if (this.runId !== runId) {
        this.runId = runId;
        this.frame = null;
        for (const map of this.all) map.clear();
        this.#sayAbsent();
      }
      lab.legends.show(this.raw, this.model.hello);
    }

    #setSlot(slot, layer) {
      this.slots[slot] = layer;
      this.#mark();
      this.repaint();
    }

    #buildSwitch(id, layers, choose) {
      const host = document.getElementById(id);
      const buttons = Array.from({ length: layers }, (_, l) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = String(l + 1);
        button.setAttribute("aria-label", `Layer ${l + 1}`);
        button.addEventListener("click", () => choose(l));
        return button;
      });
      const word = Object.assign(document.createElement("span"), { className: "segments-label", textContent: "Layer" });
      word.setAttribute("aria-hidden", "true"); // the group and each button are named already
      host.replaceChildren(...(layers > 0 && layers <= MOST_WITH_WORD ? [word] : []), ...buttons);
    }

    #mark() {
      const press = (id, chosen) =>
        document.querySelectorAll(`#${id} button`).forEach((button, l) => button.setAttribute("aria-pressed", String(l === chosen)));
      for (const name of SWITCHES) press(`layers-${name}`, this.layer);
      for (const slot of [0, 1]) {
        press(`slots-topology${slot}`, this.slots[slot]);
        document.getElementById(`title-topology${slot}`).textContent =
          this.model.layers > 2 ? "Topology" : `Topology, layer ${this.slots[slot] + 1}`;
      }
    }
  }

  lab.Pictures = Pictures;
})((window.lab = window.lab || {}));
