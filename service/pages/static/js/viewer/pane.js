// One pane: a series, its slice on a canvas, and the words round it. It knows its own state and draws it; what the
// pointer and the keys mean is in pointer.js and keys.js, what several panes do together in viewer.js.

import { contours } from "./contours.js";
import { drawBox, drawCut, drawHeat, drawMeasurements, drawStructures } from "./draw.js";
import { layOut, scaleBar } from "./geometry.js";
import { makeChips, placeChips } from "./levels.js";
import { make } from "./make.js";
import { autoWindow, greyTable, paintSlice } from "./pixels.js";
import { boxesOn, DIRECTIONS, seriesWords } from "./places.js";

const EDGES = ["left", "right", "top", "bottom"];
const MOST_PATHS = 24;
const REST_MS = 150;

export class Pane {
  /** `shared`: {manifest, store, layers, chosen, emit, cutLines(pane), heat()}. */
  constructor(shared, number) {
    this.shared = shared;
    this.number = number;
    this.view = { zoom: 1, panX: 0, panY: 0 };
    this.windows = new Map();
    this.paths = new Map();
    this.bitmap = document.createElement("canvas");
    this.hovered = null;
    this.#build();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
  }

  /** Window of this pane's series: {centre, width, inverted}, in values of the file. */
  get window() {
    return this.windows.get(this.series.id) ?? { ...this.series.window, inverted: false };
  }

  get layout() {
    return layOut(this.series, this.stage.clientWidth, this.stage.clientHeight, this.view);
  }

  get boxes() {
    return boxesOn(this.series, this.slice);
  }

  get lines() {
    return this.series.measurements.filter((row) => row.slice === this.slice);
  }

  /** Stored numbers and labels of the slice that is shown; null until they are there. */
  get labels() {
    return this.series.has_labels ? this.shared.store.peek(this.series, this.slice, "labels") : null;
  }

  /** Show a series from its first slice of interest, or a slice of it. */
  setSeries(id, slice = null) {
    const series = this.shared.manifest.series.find((item) => item.id === id);
    if (!series) return;
    if (series !== this.series) {
      this.series = series;
      this.view = { zoom: 1, panX: 0, panY: 0 };
      this.picker.value = id;
      this.slider.max = String(series.slices - 1);
      this.slider.disabled = series.slices === 1;
      this.chips = makeChips(series, (level) => this.shared.pickLevel(this, level));
      this.chipBox.replaceChildren(...this.chips.map((chip) => chip.node));
      this.#setEdges();
      this.slice = -1;
    }
    this.setSlice(slice ?? series.start_slice);
  }

  /** Show a slice; true where it is another one. */
  setSlice(k) {
    const slice = Math.min(this.series.slices - 1, Math.max(0, Math.round(k)));
    if (slice === this.slice) return false;
    this.slice = slice;
    this.hovered = null;
    this.slider.value = String(slice);
    this.slider.setAttribute("aria-valuetext", `slice ${slice + 1} of ${this.series.slices}`);
    this.element.dataset.series = this.series.id;
    this.element.dataset.slice = String(slice);
    this.#load();
    return true;
  }

  setWindow(window) {
    this.windows.set(this.series.id, { inverted: this.window.inverted, ...window });
    this.painted = null;
    this.draw();
  }

  /** Window by the slice that is shown. */
  setAutoWindow() {
    const stored = this.shared.store.peek(this.series, this.slice);
    if (stored) this.setWindow(autoWindow(stored, this.series.scale));
  }

  resetWindow() {
    this.windows.delete(this.series.id);
    this.painted = null;
    this.draw();
  }

  /** Enlarge about a screen point (of the stage), which stays where it is; null for the middle. */
  zoomBy(factor, x = null, y = null) {
    const zoom = Math.min(16, Math.max(0.25, this.view.zoom * factor));
    const scale = zoom / this.view.zoom;
    const awayX = (x ?? this.stage.clientWidth / 2) - this.stage.clientWidth / 2;
    const awayY = (y ?? this.stage.clientHeight / 2) - this.stage.clientHeight / 2;
    this.setView(zoom, awayX - scale * (awayX - this.view.panX), awayY - scale * (awayY - this.view.panY));
  }

  panBy(x, y) {
    this.setView(this.view.zoom, this.view.panX + x, this.view.panY + y);
  }

  setView(zoom, panX, panY) {
    this.view = { zoom, panX, panY };
    this.draw();
  }

  /** Bring a box into view if it is not: in the middle, no larger than before. */
  reveal(box) {
    const layout = this.layout;
    const [x0, y0] = layout.place(box[0], box[1]);
    const [x1, y1] = layout.place(box[2], box[3]);
    if (x0 >= 0 && y0 >= 0 && x1 <= layout.width && y1 <= layout.height) return;
    this.panBy(layout.width / 2 - (x0 + x1) / 2, layout.height / 2 - (y0 + y1) / 2);
  }

  /** Draw soon; many calls make one drawing. While things move, enlarging is quick; at rest it is fine. */
  draw() {
    if (this.frame || this.ended) return;
    clearTimeout(this.rest);
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.#drawNow("low");
      this.rest = setTimeout(() => this.#drawNow("high"), REST_MS);
    });
  }

  destroy() {
    this.ended = true;
    cancelAnimationFrame(this.frame);
    clearTimeout(this.rest);
    this.observer.disconnect();
    this.element.remove();
  }

  #build() {
    const name = `Pane ${this.number}`;
    this.canvas = make("canvas", { class: "sv-canvas", role: "img" });
    this.chipBox = make("div", { class: "sv-chips" });
    this.edges = Object.fromEntries(EDGES.map((edge) => [edge, make("span", { class: `sv-edge sv-edge-${edge}`, role: "img" })]));
    this.bar = make("div", { class: "sv-scale" });
    this.readout = make("div", { class: "sv-readout" });
    this.tip = make("div", { class: "sv-tip", role: "tooltip" });
    this.tip.hidden = true;
    this.status = make("p", { class: "sv-status", role: "status" });
    this.stage = make("div", { class: "sv-stage" }, this.canvas, this.chipBox, ...Object.values(this.edges), this.bar, this.readout, this.tip, this.status);
    this.picker = make("select", { class: "sv-select", "aria-label": `${name}: series`, onchange: () => this.shared.pickSeries(this, this.picker.value) },
      ...this.shared.manifest.series.map((series) => make("option", { value: series.id }, `${seriesWords(series)} (${series.id})`)));
    this.count = make("span", { class: "sv-count" });
    this.slider = make("input", { class: "sv-slider", type: "range", min: "0", step: "1", "aria-label": `${name}: slice`,
      oninput: () => this.shared.scrollTo(this, Number(this.slider.value)) });
    this.element = make("section", { class: "sv-pane", role: "group", tabindex: "0" },
      make("div", { class: "sv-head" }, this.picker, this.count), make("div", { class: "sv-body" }, this.stage, this.slider));
  }

  #setEdges() {
    for (const edge of EDGES) {
      const letter = this.series.directions[edge];
      this.edges[edge].textContent = letter ?? "?";
      this.edges[edge].setAttribute("aria-label", `${edge} edge: ${DIRECTIONS[letter] ?? "direction not known"}`);
    }
  }

  async #load() {
    const { series, slice } = this;
    const { store } = this.shared;
    if (!store.peek(series, slice)) this.element.setAttribute("aria-busy", "true");
    this.draw();
    try {
      await Promise.all([store.load(series, slice), series.has_labels ? store.load(series, slice, "labels") : null]);
      this.status.textContent = "";
    } catch (error) {
      if (!this.ended && series === this.series && slice === this.slice) this.status.textContent = `Slice ${slice + 1} could not be loaded: ${error.message}`;
    }
    if (this.ended || series !== this.series || slice !== this.slice) return;
    this.element.removeAttribute("aria-busy");
    store.prefetch(series, slice);
    this.draw();
  }

  #paths(labels) {
    const key = `${this.series.id}/${this.slice}`;
    if (!this.paths.has(key)) {
      if (this.paths.size >= MOST_PATHS) this.paths.delete(this.paths.keys().next().value);
      this.paths.set(key, contours(labels, this.series.columns, this.series.rows));
    }
    return this.paths.get(key);
  }

  /** Paint the slice anew only when slice or window changed; until a slice is there the last one stays. */
  #paint() {
    const stored = this.shared.store.peek(this.series, this.slice);
    const { centre, width, inverted } = this.window;
    const key = `${this.series.id}/${this.slice}/${centre}/${width}/${inverted}`;
    if (!stored || this.painted === key) return;
    paintSlice(this.bitmap, stored, this.series.columns, this.series.rows, greyTable(this.series.scale, this.window));
    this.painted = key;
    this.paintedSeries = this.series;
    this.element.dataset.painted = `${this.series.id}/${this.slice}`;
  }

  #drawNow(quality) {
    if (!this.series || this.stage.clientWidth === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const layout = this.layout;
    const size = [Math.round(layout.width * ratio), Math.round(layout.height * ratio)];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) [this.canvas.width, this.canvas.height] = size;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, layout.width, layout.height);
    this.#paint();
    if (this.paintedSeries === this.series) {
      context.imageSmoothingEnabled = true;
      context.imageSmoothingQuality = quality;
      context.drawImage(this.bitmap, layout.left, layout.top, this.series.columns * layout.scaleX, this.series.rows * layout.scaleY);
    }
    this.#drawLayers(context, layout);
    this.#tell(layout);
  }

  #drawLayers(context, layout) {
    const { layers, manifest } = this.shared;
    const labels = this.labels;
    if (layers.structures && labels) drawStructures(context, this.#paths(labels), manifest.structures, layout, layers);
    const heat = this.shared.heat();
    if (heat && heat.series === this.series.id && heat.slice === this.slice) drawHeat(context, heat.bitmap, layout, layers.opacity);
    for (const ends of this.shared.cutLines(this)) drawCut(context, ends, layout);
    if (layers.measurements) drawMeasurements(context, this.lines, layout, { hovered: this.hovered, level: this.shared.chosenLevel });
    if (layers.boxes) {
      for (const group of this.boxes) {
        if (group.isPositive || this.hovered?.box === group.box) drawBox(context, group.box, layout, this.hovered?.box === group.box ? "hovered" : "quiet");
      }
    }
    for (const item of this.shared.chosen) {
      if (item.series === this.series.id && item.slice === this.slice) drawBox(context, item.box_px, layout, "chosen");
    }
  }

  /** The words round the picture. */
  #tell(layout) {
    const { series, slice } = this;
    const { centre, width, inverted } = this.window;
    const isWhole = series.scale.slope === 1;
    const number = (value) => (isWhole ? String(Math.round(value)) : value.toPrecision(3));
    this.count.textContent = `${slice + 1} / ${series.slices}`;
    this.readout.textContent = `C ${number(centre)}  W ${number(width)}${inverted ? "  inverted" : ""}  ${Math.round(this.view.zoom * 100)}%`;
    const bar = scaleBar(series, layout);
    this.bar.textContent = bar ? (bar.mm >= 10 ? `${bar.mm / 10} cm` : `${bar.mm} mm`) : "no spacing known";
    this.bar.style.setProperty("--sv-bar", `${bar ? bar.px : 0}px`);
    this.bar.classList.toggle("sv-scale-none", !bar);
    const label = `${seriesWords(series)}, slice ${slice + 1} of ${series.slices}`;
    this.canvas.setAttribute("aria-label", label);
    this.element.setAttribute("aria-label", `Pane ${this.number}: ${label}`);
    this.chipBox.hidden = !this.shared.layers.names;
    placeChips(this.chips, slice, layout, this.shared.chosenLevel);
  }
}
