// The viewer's tools: panes, what dragging does, window, layers, zoom. It shows the state and asks for changes.

import { KEYS } from "./keys.js";
import { make, pressed, toggle } from "./make.js";
import { PRESETS } from "./pixels.js";

const LAYERS = [
  ["structures", "Outlines", "Outlines of discs, vertebrae and canal"],
  ["fill", "Fill", "Fill the outlines"],
  ["names", "Levels", "Names of the levels"],
  ["boxes", "Findings", "Boxes of positive findings"],
  ["measurements", "Measures", "Measured lines with their values"],
];
const TOOLS = [
  ["scroll", "Scroll", "Dragging moves through the slices"],
  ["window", "Window", "Dragging changes brightness and contrast"],
  ["pan", "Pan", "Dragging moves the picture"],
];

export class Toolbar {
  /** `acts`: {setPanes(n), setTool(name), setLayers(part), preset(window), auto(), reset(), invert(), zoom(f), fit(), setLinked(b), toggleHeat()}. */
  constructor(acts, { mostPanes, heats }) {
    this.panes = Array.from({ length: mostPanes }, (_, i) =>
      toggle(String(i + 1), i ? `${i + 1} panes side by side` : "One pane", i ? `${i + 1} panes` : "One pane", () => acts.setPanes(i + 1)));
    this.tools = new Map(TOOLS.map(([name, text, title]) => [name, toggle(text, `Drag: ${text.toLowerCase()}`, title, () => acts.setTool(name))]));
    this.layers = new Map(LAYERS.map(([name, text, title]) => [name, toggle(text, title, title, () => acts.setLayers({ [name]: !this.state[name] }))]));
    this.opacity = make("input", { type: "range", class: "sv-range", min: "0", max: "100", step: "5", "aria-label": "Opacity of outlines and heat map",
      oninput: () => acts.setLayers({ opacity: Number(this.opacity.value) / 100 }) });
    this.heat = toggle("Heat", "Heat map of a finding (Grad-CAM)", "Where the network looked: no outline of a lesion", () => acts.toggleHeat());
    this.heatOf = make("select", { class: "sv-select", "aria-label": "Finding of the heat map", onchange: () => acts.setLayers({ heat: this.heatOf.value }) },
      ...heats.map(({ id, words }) => make("option", { value: id }, words)));
    if (heats.length === 0) {
      this.heat.disabled = true;
      this.heat.title = "No heat maps were computed for this reading";
    }
    this.presets = make("select", { class: "sv-select", "aria-label": "Window preset", onchange: () => acts.preset(this.presets.value) },
      ...PRESETS.map(({ id, words }) => make("option", { value: id }, words)));
    this.linked = toggle("Link", "Scroll panes of the same plane together", "Panes of the same plane scroll together", () => acts.setLinked(!this.isLinked));
    const button = (text, label, act) => make("button", { type: "button", class: "sv-button", "aria-label": label, title: label, onclick: act }, text);
    this.element = make("div", { class: "sv-tools", role: "group", "aria-label": "Viewer tools" },
      group("Panes", ...this.panes, this.linked),
      group("Dragging", ...this.tools.values()),
      group("Window", this.presets, button("Auto", "Window by the slice (Q)", acts.auto), button("Reset", "Window as acquired, whole picture (X, 0)", acts.reset), button("Invert", "Invert grey (I)", acts.invert)),
      group("Zoom", button("−", "Zoom out", () => acts.zoom(0.8)), button("Fit", "Fit the picture (0)", acts.fit), button("+", "Zoom in", () => acts.zoom(1.25))),
      group("Layers", ...this.layers.values(), this.heat, this.heatOf, this.opacity),
      keyList());
  }

  /** Show what is set. */
  show({ layers, panes, tool, isLinked, heat }) {
    this.state = layers;
    this.isLinked = isLinked;
    this.panes.forEach((node, i) => pressed(node, i + 1 === panes));
    for (const [name, node] of this.tools) pressed(node, name === tool);
    for (const [name, node] of this.layers) pressed(node, layers[name]);
    pressed(this.heat, heat !== null);
    this.heatOf.hidden = heat === null;
    if (heat !== null) this.heatOf.value = heat;
    pressed(this.linked, isLinked);
    this.opacity.value = String(Math.round(layers.opacity * 100));
  }
}

function group(name, ...nodes) {
  return make("div", { class: "sv-group", role: "group", "aria-label": name }, ...nodes);
}

function keyList() {
  const rows = KEYS.flatMap(([key, words]) => [make("dt", {}, key), make("dd", {}, words)]);
  return make("details", { class: "sv-keys" }, make("summary", { "aria-label": "Keys of the viewer", title: "Keys of the viewer" }, "?"), make("dl", {}, ...rows));
}
