// Between the viewer and the rest of the room: what is selected is shown in the images, what is picked there is
// selected here.

import { el, fill } from "./dom.js";

/** Where a finding lies, as the viewer wants it. */
export function placesOf(finding) {
  if (!finding || !finding.series || !finding.box_px) return [];
  return [{ finding_id: finding.id, series: finding.series, slice: finding.slice, box_px: finding.box_px }];
}

/** The viewer of a reading of the room's study, in `container`; it can be opened anew with another reading. */
export class ViewerLink {
  constructor(container, room) {
    this.container = container;
    this.room = room;
    this.viewer = null;
    this.layers = { overlay: true, saliency: null };
    room.on("finding", ({ id, from }) => this.#finding(id, from));
    room.on("sentence", ({ id }) => this.#places(room.draft.sentence(id ?? "")?.places ?? []));
    room.on("hidden", () => this.#apply());
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
      this.viewer = await createViewer(this.container, { readingId, manifest, api: this.room.api });
      this.viewer.on("pick", (picked) => this.#picked(picked));
      this.viewer.on("level", (picked) => this.#level(picked));
      this.#apply();
    } catch (error) {
      fill(this.container, el("p", { class: "notice danger", role: "alert" }, `The images cannot be shown: ${error.message}`));
    }
  }

  /** Show or hide the drawn structures, boxes and names. */
  toggleOverlay() {
    this.layers.overlay = !this.layers.overlay;
    this.#apply();
  }

  /** Show where the network looked for a finding; the same again hides it. */
  toggleSaliency(findingId = this.room.findingId) {
    if (findingId === null) {
      this.room.notice("Choose a finding first; Grad-CAM shows where the network looked for its grade.");
      return;
    }
    this.layers.saliency = this.layers.saliency === findingId ? null : findingId;
    this.#apply();
  }

  step(by) { this.viewer?.step?.(by); }

  #finding(id, from) {
    if (this.layers.saliency !== null && this.layers.saliency !== id) {
      this.layers.saliency = id;
      this.#apply();
    }
    if (from === "viewer" || from === "editor") return;
    this.#places(placesOf(this.room.finding(id ?? "")));
  }

  #places(places) {
    if (!this.viewer || this.room.isHidden) return;
    this.viewer.highlight(places);
    const first = places[0];
    if (first) this.viewer.show({ series: first.series, slice: first.slice });
  }

  #picked(picked) {
    const id = picked?.finding_id ?? null;
    if (id !== null) this.room.selectFinding(id, "viewer");
    else if (picked?.level) this.#level(picked);
  }

  #level(picked) {
    const level = typeof picked === "string" ? picked : (picked?.level ?? picked?.name);
    if (level) this.room.emit("level", { level });
  }

  #apply() {
    const isShown = this.layers.overlay && !this.room.isHidden;
    this.viewer?.setLayers({ structures: isShown, boxes: isShown, levels: isShown, measurements: isShown,
      saliency: this.room.isHidden ? null : this.layers.saliency });
  }
}
