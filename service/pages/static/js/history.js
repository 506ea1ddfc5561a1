// One's own past readings and signed reports.
import { el, timeOf, words } from "./dom.js";
import { cell, pagedTable } from "./paged.js";

const COLUMNS = ["Study", "Your part", "Report", "Burden", "When"];
document.getElementById("history-head").append(
  el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name))));

function row(item) {
  return el("tr", {},
    cell(el("a", { class: "study-link", href: `/read/${item.study_id}` }, item.label || item.study_key || "Study without a label")),
    cell(item.what), cell(words(item.report_status)), cell(item.burden?.toFixed(0) ?? "–"), cell(timeOf(item.at)));
}

pagedTable({
  path: "/history",
  body: document.getElementById("history"),
  row,
  count: (total) => `${total} ${total === 1 ? "entry" : "entries"}`,
});
