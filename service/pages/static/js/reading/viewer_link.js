// Between the viewer and the rest of the room: what is selected is shown in the images, what is picked there is
// selected here.

import { el, fill } from "./dom.js";
import { needsDecision } from "./findings_view.js";

const OVERLAY = ["structures", "names", "boxes"];

/** Where a finding lies, as the viewer wants it. */
function placesOf(finding) {
  if (!finding || !finding.series || !finding.box_px) return [];
  return [{ finding_id: finding.id, series: finding.series, slice: finding.slice, box_px: finding.box_px }];
}

/** The viewer of a reading of the room's study, in `container`; it can be opened anew with another reading. */
export class ViewerLink {
  constructor(container, room) {
    this.container = container;
    this.room = room;
    this.viewer = null;
    this.manifest = null;
    this.place = null;
    this.isOverlaid = true;
    this.heat = null;
    room.on("finding", ({ id, from }) => this.#finding(id, from));
    room.on("sentence", ({ id }) => this.#places(room.draft.sentence(id ?? "")?.places ?? []));
    room.on("hidden", ({ isHidden }) => this.#hide(isHidden));
  }

  /** Open the images of a reading. */
  async open(readingId) {
    this.viewer?.destroy();
    this.viewer = null;
    this.room.shownReadingId = readingId;
    fill(this.container, el("p", { class: "empty", role: "status" }, "Loading the images…"));
    try {
      const [{ createViewer }, manifest] = await Promise.all([
        import("../viewer/viewer.js"), this.room.api.get(`/readings/${readingId}/viewer`)]);
      this.container.replaceChildren();
      this.#start(createViewer(this.container, { readingId, manifest, api: this.room.api }), manifest);
    } catch (error) {
      fill(this.container, el("p", { class: "notice danger", role: "alert" }, `The images cannot be shown: ${error.message}`));
    }
  }

  #start(viewer, manifest) {
    const first = manifest.series.find((series) => series.id === manifest.primary_series) ?? manifest.series[0];
    this.viewer = viewer;
    this.manifest = manifest;
    this.heat = null;
    this.place = first ? { series: first.id, slice: first.start_slice } : null;
    viewer.on("pick", (picked) => this.#picked(picked));
    viewer.on("level", (picked) => this.#level(picked.level));
    viewer.on("slice", ({ series, slice }) => { this.place = { series, slice }; });
    if (this.room.isHidden) this.#hide(true);
    this.room.manifest = manifest;
    this.room.emit("images");
  }

  /** Show or hide the drawn structures, boxes and names. */
  toggleOverlay() {
    this.isOverlaid = !this.isOverlaid;
    const layers = Object.fromEntries(OVERLAY.map((name) => [name, this.isOverlaid]));
    this.viewer?.setLayers(this.room.isHidden ? { ...layers, boxes: false } : layers);
  }

  /** Show where the network looked for a finding; the same again hides it. */
  async toggleSaliency(findingId = this.room.findingId) {
    if (findingId === null) {
      this.room.notice("Choose a finding first; Grad-CAM shows where the network looked for its grade.");
    } else if (this.heat === findingId) {
      this.heat = null;
      this.viewer?.setLayers({ heat: null });
    } else if (this.manifest?.saliency?.[findingId]) {
      this.heat = findingId;
      this.viewer.setLayers({ heat: findingId });
    } else {
      await this.#whyNone(findingId);
    }
  }

  /** Go on by some slices in the series shown last. */
  step(by) {
    const series = this.manifest?.series.find((item) => item.id === this.place?.series);
    if (!series) return;
    const slice = Math.min(series.slices - 1, Math.max(0, this.place.slice + by));
    this.place = { series: series.id, slice };
    this.viewer.show(this.place);
  }

  async #whyNone(findingId) {
    try {
      await this.room.api.bytes(`/readings/${this.room.shownReadingId}/saliency/${encodeURIComponent(findingId)}`);
    } catch (error) {
      this.room.notice(`No Grad-CAM: ${error.message}`);
    }
  }

  #hide(isHidden) {
    if (isHidden) this.heat = null;
    this.viewer?.setLayers(isHidden ? { boxes: false, heat: null } : { boxes: this.isOverlaid });
  }

  #finding(id, from) {
    if (this.heat !== null) {
      const heat = id !== null && this.manifest?.saliency?.[id] ? id : null;
      if (heat !== this.heat) this.viewer?.setLayers({ heat });
      this.heat = heat;
    }
    if (from !== "editor") this.#places(placesOf(this.room.finding(id ?? "")));
  }

  #places(places) {
    if (this.viewer && !this.room.isHidden) this.viewer.highlight(places);
  }

  /** Of several findings at one place the one to be decided next is selected. */
  #picked({ finding_ids: ids = [], level = null }) {
    if (this.room.isHidden) return;
    const found = ids.map((id) => this.room.finding(id)).filter((finding) => finding !== null);
    const chosen = found.find(needsDecision) ?? found.find((finding) => finding.is_positive) ?? found[0];
    if (chosen) this.room.selectFinding(chosen.id, "viewer");
    else this.#level(level);
  }

  #level(level) {
    if (level && !this.room.isHidden) this.room.emit("level", { level });
  }
}
