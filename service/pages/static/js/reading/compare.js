// What changed since the earlier study, where there is one: grades and measurements, what changed first.

import { button, el, fill } from "./dom.js";
import { findingName, gradeWords } from "./words.js";

const WORDS = {
  new: "new", worse: "worse", better: "better", resolved: "resolved", unchanged: "unchanged", not_comparable: "not comparable",
  increased: "increased", decreased: "decreased", within_error: "within the error",
};
const QUIET = new Set(["unchanged", "within_error", "not_comparable"]);
const KINDS = { new: "warn", worse: "danger", better: "ok", resolved: "ok" };

/** Build the table of changes. */
export function createCompare(container, room) {
  const body = el("div", { class: "scroll padded", tabindex: "0", role: "region", "aria-label": "Comparison with the earlier study" });
  let isAll = false;
  let comparison = null;
  fill(container, body);
  const draw = () => {
    const rows = [...comparison.grades.map((item) => gradeRow(room, item)), ...comparison.measurements.map((item) => valueRow(item))];
    const shown = rows.filter((row) => isAll || !QUIET.has(row.change));
    fill(body, comparison.notices.map((words) => el("p", { class: "notice small" }, words)),
      el("div", { class: "row" }, el("h3", { class: "grow" }, "Against the earlier study"),
        button(`Unchanged too (${rows.length})`, () => { isAll = !isAll; draw(); }, { class: "quiet small", "aria-pressed": String(isAll) })),
      shown.length ? table(shown) : el("p", { class: "empty" }, "Nothing changed beyond the error of measurement."));
  };
  const load = async () => {
    if (!room.study.prior_study_id) {
      fill(body, el("p", { class: "empty" }, "This study was read without an earlier study, so there is nothing to compare. Name one when you upload."));
      return;
    }
    try {
      comparison = await room.api.get(`${room.path}/comparison`);
      draw();
    } catch (error) {
      fill(body, el("p", { class: error.status === 404 ? "empty" : "notice" }, error.message));
    }
  };
  room.on("report", () => { if (body.offsetParent !== null) load(); });
  return { load };
}

function table(rows) {
  return el("table", { class: "changes small" },
    el("thead", {}, el("tr", {}, ["Level", "What", "Before", "Now", "Change"].map((words) => el("th", { scope: "col" }, words)))),
    el("tbody", {}, rows.map((row) => row.element)));
}

function gradeRow(room, item) {
  const finding = room.finding(item.now?.id ?? "");
  const like = finding ?? room.report.findings.find((other) => other.condition === item.condition && other.scale === item.scale);
  const words = (state) => (state === null ? "—" : state.grade === null ? "not assessable" : like ? gradeWords(like, state.grade) : state.grade);
  const name = findingName({ condition: item.condition, condition_words: like?.condition_words, side: item.side });
  const what = finding ? button(name, () => room.selectFinding(finding.id, "chip"), { class: "link" }) : name;
  return row(item, what, words(item.before), words(item.now));
}

function valueRow(item) {
  const words = (state) => (state === null || state.value === null ? "—" : `${state.value.toFixed(1)} ${item.unit === "1" ? "" : item.unit}`.trim());
  return row(item, `${item.name.replaceAll("_", " ")}${item.side ? `, ${item.side}` : ""}`, words(item.before), words(item.now));
}

function row(item, what, before, now) {
  return {
    change: item.change,
    element: el("tr", { class: QUIET.has(item.change) ? "muted" : "" }, el("td", { class: "level" }, item.level ?? ""), el("td", {}, what),
      el("td", {}, before), el("td", {}, now),
      el("td", { title: item.reason }, KINDS[item.change] ? el("span", { class: `chip ${KINDS[item.change]}` }, WORDS[item.change]) : (WORDS[item.change] ?? item.change))),
  };
}
