// One's own past readings and signed reports.
import { el, timeOf, words } from "./dom.js";
import { cell, pagedTable } from "./paged.js";

const COLUMNS = ["Study", "Body region", "Report", "Decisions", "Versions", "Last change"];
const REPORT_KIND = { reviewed: "accent", signed: "ok", amended: "warn" };
document.getElementById("history-head").append(
  el("tr", {}, COLUMNS.map((name) => el("th", { scope: "col" }, name))));

function study(item) {
  return [
    el("a", { href: `/read/${item.id}` }, item.label || item.study_key || "Study without a label"),
    item.is_sample && el("span", { class: "chip" }, "Sample"),
    !item.is_owner && el("span", { class: "muted small" }, " shared with you"),
  ];
}

function report(item) {
  if (!item.report_status) return words(item.status);
  const chip = el("span", { class: `chip ${REPORT_KIND[item.report_status] ?? ""}` }, words(item.report_status));
  if (!item.signed) return chip;
  return [chip, el("div", { class: "muted small" }, `by ${item.signed.by}, `, timeOf(item.signed.at))];
}

/** "3 accepted, 1 edited": what the user decided of the findings. */
function decisions(item) {
  const told = [[item.accepts, "accepted"], [item.edits, "edited"], [item.rejects, "rejected"]];
  const parts = told.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return parts.join(", ") || el("span", { class: "muted" }, "none");
}

function row(item) {
  return el("tr", {},
    cell(study(item)), cell(item.protocol ? words(item.protocol) : "–"), cell(report(item)), cell(decisions(item)),
    cell(String(item.versions)), cell(timeOf(item.changed_at)));
}

pagedTable({
  path: "/history",
  body: document.getElementById("history"),
  row,
  count: (total) => `${total} ${total === 1 ? "study" : "studies"}`,
});
