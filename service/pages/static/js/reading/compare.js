// What changed since the prior study, where there is one.

import { el, fill } from "./dom.js";
import { chip } from "./chips.js";

/** Build the table of changes. */
export function createCompare(container, room) {
  const body = el("div", { class: "scroll padded", tabindex: "0", role: "region", "aria-label": "Comparison with the prior study" });
  fill(container, body);
  const load = async () => {
    try {
      draw(body, room, await room.api.get(`${room.path}/comparison`));
    } catch (error) {
      fill(body, el("p", { class: error.status === 404 ? "empty" : "notice" }, error.message));
    }
  };
  room.on("report", load);
  load();
}

function draw(body, room, rows) {
  const items = Array.isArray(rows) ? rows : (rows.rows ?? []);
  fill(body, items.length ? el("table", {}, el("thead", {}, el("tr", {}, ["Level", "Finding", "Before", "Now", "Change"].map((words) => el("th", { scope: "col" }, words)))),
    el("tbody", {}, items.map((item) => row(room, item)))) : el("p", { class: "empty" }, "Nothing to compare."));
}

function row(room, item) {
  const finding = room.finding(item.finding_id ?? "");
  return el("tr", { class: `change ${item.change ?? ""}` }, el("td", {}, item.level ?? ""),
    el("td", {}, finding ? chip(room, finding) : (item.condition_words ?? item.condition ?? "")),
    el("td", {}, item.before_words ?? item.before ?? "—"), el("td", {}, item.now_words ?? item.now ?? "—"), el("td", {}, item.change_words ?? item.change ?? ""));
}
