// The image viewer: createViewer(container, {readingId, manifest, api}) -> show, highlight, on, setLayers, destroy.
//
// `api` has bytes(path) -> ArrayBuffer, paths below /api/v1. Events: `pick` {finding_ids, level, series, slice} when a
// place is clicked, `level` {level, series, slice} when a level is chosen, `slice` {series, slice, pane} on scrolling,
// `layers` {structures, ..., heat} when one is changed.
// Colours come from the page's CSS variables; see css/viewer.css.

import { cutLine, sliceBeside, sliceThrough } from "./geometry.js";
import { actOnKey, watchHeldKeys } from "./keys.js";
import { Emitter, make } from "./make.js";
import { Pane } from "./pane.js";
import { PRESETS } from "./pixels.js";
import { boxAt, labelAt, lineAt, seriesWords } from "./places.js";
import { valueWords } from "./draw.js";
import { listenToPointer } from "./pointer.js";
import { SliceStore } from "./slices.js";
import { Toolbar } from "./toolbar.js";

const MOST_PANES = 4;
const TWO_PANES_PX = 760;
const LAYERS = { structures: true, fill: false, names: true, boxes: true, measurements: false, opacity: 0.7 };

export function createViewer(container, options) {
  const viewer = new Viewer(container, options);
  return {
    show: (place) => void viewer.show(place),
    highlight: (boxes) => viewer.highlight(boxes),
    on: (event, handler) => viewer.events.on(event, handler),
    setLayers: (part) => viewer.setLayers(part),
    destroy: () => viewer.destroy(),
  };
}

class Viewer {
  constructor(container, { readingId, manifest, api }) {
    this.container = container;
    this.manifest = manifest;
    this.events = new Emitter();
    this.store = new SliceStore(api, readingId);
    this.layers = { ...LAYERS };
    this.chosen = [];
    this.chosenLevel = null;
    this.tool = "scroll";
    this.isLinked = true;
    this.heatId = null;
    this.heatMap = null;
    this.structureOf = new Map(manifest.structures.map((row) => [row.label, row]));
    this.panes = [];
    this.#build();
    this.setPanes(Math.min(manifest.series.length, container.clientWidth >= TWO_PANES_PX ? 2 : 1));
  }

  /** Show a slice of a series, in the pane that has the series, else in the active one; linked panes follow. */
  show({ series, slice = null }, isLinked = this.isLinked) {
    const pane = this.panes.find((item) => item.series.id === series) ?? this.active;
    pane.setSeries(series, slice ?? (pane.series.id === series ? pane.slice : null));
    this.#activate(pane);
    if (isLinked) this.#follow(pane);
    this.#changed(pane);
    return pane;
  }

  /** Choose boxes [{finding_id, series, slice, box_px}]: drawn in full, the first one shown; [] for none. */
  highlight(boxes) {
    this.chosen = boxes;
    this.chosenLevel = null;
    const shown = new Set();
    for (const item of boxes) {
      if (shown.has(item.series)) continue;
      const isThere = this.panes.some((pane) => pane.series.id === item.series);
      if (shown.size > 0 && !isThere) continue;
      shown.add(item.series);
      const first = shown.size === 1 ? null : this.active;
      this.show({ series: item.series, slice: item.slice }, this.isLinked && first === null).reveal(item.box_px);
      if (first) this.#activate(first);
    }
    if (this.isLinked && boxes.length) this.#cross(boxes[0], shown);
    const heat = boxes.map((item) => item.finding_id).find((id) => id in this.heats);
    if (this.heatId !== null && heat) this.setLayers({ heat });
    this.drawAll();
  }

  /** Set layers: structures, fill, names, boxes, measurements (booleans), opacity (0 to 1), heat (finding id or null). */
  setLayers({ heat, ...part }) {
    Object.assign(this.layers, part);
    if (heat !== undefined && heat !== this.heatId) this.#setHeat(heat);
    this.events.emit("layers", { ...this.layers, heat: this.heatId });
    this.drawAll();
  }

  destroy() {
    for (const pane of this.panes) pane.destroy();
    this.keys.end();
    this.store.close();
    this.container.replaceChildren();
    this.container.classList.remove("sv");
  }

  setPanes(count) {
    while (this.panes.length > count) this.panes.pop().destroy();
    while (this.panes.length < count) this.#addPane();
    this.grid.dataset.panes = String(count);
    if (!this.panes.includes(this.active)) this.#activate(this.panes[0]);
    this.drawAll();
  }

  drawAll() {
    for (const pane of this.panes) pane.draw();
    this.toolbar.show({ layers: this.layers, panes: this.panes.length, tool: this.tool, isLinked: this.isLinked, heat: this.heatId });
  }

  /** Move a pane to a slice; those of the same plane follow where they are linked. */
  scrollTo(pane, k) {
    if (!pane.setSlice(k)) return;
    this.#activate(pane);
    if (this.isLinked) this.#follow(pane);
    this.#changed(pane);
  }

  pickLevel(pane, level) {
    this.chosenLevel = level.name;
    this.#activate(pane);
    for (const item of this.panes) {
      const place = item.series.levels.find((row) => row.name === level.name);
      if (place) item.setSlice(place.slice);
    }
    this.events.emit("level", { level: level.name, series: pane.series.id, slice: level.slice });
    this.#changed(pane);
  }

  get heats() {
    return this.manifest.saliency ?? {};
  }

  #build() {
    const words = new Map(this.manifest.series.flatMap((series) => series.boxes.map((row) => [row.finding_id, row.words])));
    const heats = Object.keys(this.heats).map((id) => ({ id, words: words.get(id) ?? id }));
    const on = (act) => () => act(this.active);
    this.toolbar = new Toolbar({
      setPanes: (count) => this.setPanes(count),
      setTool: (name) => this.#set({ tool: name }),
      setLinked: (isLinked) => this.#set({ isLinked }),
      setLayers: (part) => this.setLayers(part),
      toggleHeat: () => this.#toggleHeat(),
      preset: (id) => this.active.setWindow(PRESETS.find((item) => item.id === id).of(this.active.series.window)),
      auto: on((pane) => pane.setAutoWindow()),
      reset: on((pane) => this.#reset(pane)),
      invert: on((pane) => pane.setWindow({ ...pane.window, inverted: !pane.window.inverted })),
      zoom: (factor) => this.active.zoomBy(factor),
      fit: on((pane) => pane.setView(1, 0, 0)),
    }, { mostPanes: MOST_PANES, heats });
    this.grid = make("div", { class: "sv-grid" });
    this.live = make("p", { class: "sv-hidden", "aria-live": "polite" });
    this.container.classList.add("sv");
    this.container.replaceChildren(this.toolbar.element, this.grid, this.live);
    this.keys = watchHeldKeys(this.grid);
  }

  #set(part) {
    Object.assign(this, part);
    this.drawAll();
  }

  #reset(pane) {
    pane.resetWindow();
    pane.setView(1, 0, 0);
    this.toolbar.presets.value = "own";
  }

  #addPane() {
    const pane = new Pane(this.#shared(), this.panes.length + 1);
    listenToPointer(pane, {
      tool: () => this.tool,
      held: () => this.keys.held(),
      scroll: (steps) => this.scrollTo(pane, pane.slice + steps),
      pick: (x, y) => this.#pick(pane, x, y),
      hover: (x, y) => this.#hover(pane, x, y),
      leave: () => this.#hover(pane, -1, -1),
      active: () => this.#activate(pane),
    });
    pane.element.addEventListener("keydown", (event) => this.#key(pane, event));
    pane.element.addEventListener("focusin", () => this.#activate(pane));
    this.panes.push(pane);
    this.grid.append(pane.element);
    pane.setSeries(this.#nextSeries());
  }

  #shared() {
    const viewer = this;
    return {
      manifest: this.manifest,
      store: this.store,
      get layers() { return viewer.layers; },
      get chosen() { return viewer.chosen; },
      get chosenLevel() { return viewer.chosenLevel; },
      heat: () => this.heatMap,
      cutLines: (pane) => this.#cutLines(pane),
      pickSeries: (pane, id) => this.#pickSeries(pane, id),
      pickLevel: (pane, level) => this.pickLevel(pane, level),
      scrollTo: (pane, k) => this.scrollTo(pane, k),
    };
  }

  /** Primary series first, then one of another plane, then what is not shown yet. */
  #nextSeries() {
    const { series, primary_series: primary } = this.manifest;
    const shown = this.panes.slice(0, -1).map((pane) => pane.series.id);
    const plane = series.find((item) => item.id === primary)?.plane;
    const rank = (item) => (shown.includes(item.id) ? 100 : 0) + (item.id === primary ? 0 : item.plane === plane ? 2 : 1);
    return [...series].sort((a, b) => rank(a) - rank(b))[0].id;
  }

  /** Move the other panes of the same plane to the place of a pane. */
  #follow(pane) {
    for (const other of this.panes) {
      const beside = other === pane ? null : sliceBeside(pane.series, pane.slice, other.series);
      if (beside !== null) other.setSlice(beside);
    }
  }

  /** Turn panes of other planes to the slice through the middle of a box. */
  #cross({ series, slice, box_px: [left, top, right, bottom] }, shown) {
    const from = this.manifest.series.find((item) => item.id === series);
    for (const pane of this.panes) {
      if (!from || shown.has(pane.series.id)) continue;
      const through = sliceThrough(from, [(left + right) / 2, (top + bottom) / 2], slice, pane.series);
      if (through !== null) pane.setSlice(through);
    }
  }

  #pickSeries(pane, id) {
    pane.setSeries(id);
    this.#activate(pane);
    this.#changed(pane);
  }

  #activate(pane) {
    if (this.active === pane) return;
    this.active = pane;
    for (const item of this.panes) item.element.classList.toggle("sv-active", item === pane);
    for (const item of this.panes) item.draw();
  }

  /** Tell everybody of another slice; the words for screen readers wait until scrolling rests. */
  #changed(pane) {
    const { series, slice } = pane;
    this.events.emit("slice", { series: series.id, slice, pane: pane.number });
    clearTimeout(this.talk);
    this.talk = setTimeout(() => {
      this.live.textContent = `${seriesWords(series)}, slice ${slice + 1} of ${series.slices}`;
    }, 400);
    this.drawAll();
  }

  /** Lines in which the slice of the active pane cuts another pane's. */
  #cutLines(pane) {
    if (!this.active || pane === this.active) return [];
    const ends = cutLine(this.active.series, this.active.slice, pane.series, pane.slice);
    return ends ? [ends] : [];
  }

  #placeAt(pane, screenX, screenY) {
    const layout = pane.layout;
    const [x, y] = layout.pixel(screenX, screenY);
    const line = this.layers.measurements ? lineAt(pane.lines, layout, screenX, screenY) : null;
    const structure = this.structureOf.get(labelAt(pane.labels, pane.series, x, y)) ?? null;
    return { line, structure, box: boxAt(pane.boxes, x, y, structure?.level ?? null) };
  }

  #pick(pane, screenX, screenY) {
    const { line, structure, box } = this.#placeAt(pane, screenX, screenY);
    const level = line?.level ?? box?.level ?? structure?.level ?? null;
    const ids = line ? [line.id] : box ? box.rows.map((row) => row.finding_id) : [];
    this.chosenLevel = level;
    this.events.emit("pick", { finding_ids: ids, level, series: pane.series.id, slice: pane.slice });
    this.drawAll();
  }

  #hover(pane, screenX, screenY) {
    const isInside = screenX >= 0;
    const { line, structure, box } = isInside ? this.#placeAt(pane, screenX, screenY) : {};
    const hovered = line ?? (box?.isPositive && this.layers.boxes ? box : null);
    const told = line ? [`${line.level ?? ""} ${line.name}: ${valueWords(line)}`.trim()] : [];
    if (!line && hovered) told.push(...box.rows.filter((row) => row.is_positive).map((row) => row.words));
    if (!hovered && structure) told.push(structure.name);
    pane.tip.hidden = told.length === 0;
    pane.tip.replaceChildren(...told.map((text) => make("span", {}, text)));
    placeTip(pane, screenX, screenY);
    pane.stage.classList.toggle("sv-over", Boolean(line || box));
    if (hovered?.box !== pane.hovered?.box || hovered?.id !== pane.hovered?.id) {
      pane.hovered = hovered;
      pane.draw();
    }
  }

  #key(pane, event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("select, input")) return;
    const isMeant = actOnKey(event.key.length === 1 ? event.key.toLowerCase() : event.key, pane, {
      scroll: (item, steps) => this.scrollTo(item, item.slice + steps),
      scrollTo: (item, k) => this.scrollTo(item, k),
      nextLevel: (item, step) => this.#nextLevel(item, step),
    });
    if (!isMeant) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #nextLevel(pane, step) {
    const { levels } = pane.series;
    if (levels.length === 0) return;
    const now = levels.findIndex((level) => level.name === this.chosenLevel);
    const next = now < 0 ? (step > 0 ? 0 : levels.length - 1) : Math.min(levels.length - 1, Math.max(0, now + step));
    this.pickLevel(pane, levels[next]);
  }

  #toggleHeat() {
    const ids = Object.keys(this.heats);
    if (ids.length === 0) return;
    const wanted = this.chosen.map((item) => item.finding_id).find((id) => ids.includes(id));
    this.setLayers({ heat: this.heatId === null ? (wanted ?? ids[0]) : null });
  }

  async #setHeat(id) {
    this.heatId = id;
    this.heatMap = null;
    if (id === null) return;
    const place = this.heats[id];
    if (!place) {
      this.heatId = null;
      this.#say("no heat map was computed for this finding");
      return;
    }
    this.show(place);
    try {
      const bitmap = await this.store.heat(id);
      if (this.heatId === id) this.heatMap = { ...place, bitmap };
    } catch (error) {
      if (this.heatId === id) this.heatId = null;
      this.#say(`the heat map could not be loaded: ${error.message}`);
    }
    this.drawAll();
  }

  #say(words) {
    this.active.status.textContent = words;
  }
}

function placeTip(pane, x, y) {
  const { tip, stage } = pane;
  if (tip.hidden) return;
  tip.style.left = `${Math.min(x + 14, Math.max(0, stage.clientWidth - tip.offsetWidth - 6))}px`;
  tip.style.top = `${Math.min(y + 16, Math.max(0, stage.clientHeight - tip.offsetHeight - 6))}px`;
}
