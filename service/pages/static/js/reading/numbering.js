// Names of the levels: the reader confirms one, and the study is read again with all names following from it.

import { button, el, fill } from "./dom.js";

/**
 * Build the part; it stays empty until the images are open.
 *
 * @param {HTMLElement} container
 * @param {Room} room
 * @param {Function} start ({anchor, writer}) begins the reading.
 */
export function createNumbering(container, room, start) {
  const draw = (chosen = null) => {
    const levels = markedLevels(room);
    if (!levels.length || room.actor.role !== "radiologist") return fill(container);
    const names = [...new Set([...room.report.findings.map((finding) => finding.level), ...levels.map((level) => level.name)])].filter(Boolean);
    const marked = select("marked-level", levels.map((level) => level.name), chosen);
    const right = select("right-level", names, chosen);
    const confirm = () => start({ anchor: anchorOf(levels.find((level) => level.name === marked.value), right.value), writer: writerOf(room) });
    const doubt = levels.find((level) => level.doubt)?.doubt;
    return fill(container, el("h3", {}, "Names of the levels"), doubt ? el("p", { class: "notice small" }, `In doubt: ${doubt}.`) : null,
      el("div", { class: "row another" }, el("label", { for: "marked-level" }, "The disc marked"), marked,
        el("label", { for: "right-level" }, "is"), right, button("Confirm and read again", confirm, { class: "quiet start", id: "confirm-level" })));
  };
  room.on("images", () => draw());
  room.on("level", ({ level }) => draw(level));
  return draw();
}

/** Levels marked on the primary series of the images that are open. */
function markedLevels(room) {
  const { manifest } = room;
  return manifest?.series.find((series) => series.id === manifest.primary_series)?.levels ?? [];
}

/** A level and where its disc lies, as the service takes it: LEVEL=X,Y in pixels of the slice. */
const anchorOf = (level, name) => `${name}=${level.centre_px.map((value) => Math.round(value)).join(",")}`;

const writerOf = (room) => room.study.readings.find((reading) => reading.id === room.report.reading_id)?.writer ?? "";

function select(id, names, chosen) {
  const element = el("select", { id }, names.map((name) => el("option", { value: name }, name)));
  if (names.includes(chosen)) element.value = chosen;
  return element;
}
