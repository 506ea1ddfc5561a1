// One row of the worklist for each study, updated in place: focus and the reader's place stay where they are.
import { age, el, sentence, timeOf, words } from "../dom.js";

const ACTIVE = new Set(["queued", "reading"]);
const AGAIN = new Set(["failed", "refused", "cancelled"]);
const STATUS_KIND = { ready: "ok", failed: "danger", refused: "warn", queued: "", reading: "accent", cancelled: "" };
const REPORT_KIND = { draft: "", reviewed: "accent", signed: "ok", amended: "warn" };

export const isActive = (study) => ACTIVE.has(study.status) || ["queued", "running"].includes(study.job?.state);
export const nameOf = (study) => study.label || study.study_key || "Study without a label";

function studyCell(study) {
  const owner = study.group ? `${study.owner.name} · ${study.group.name}` : study.owner.name;
  return [
    el("div", { class: "study-name" },
      study.is_critical && el("span", { class: "chip danger", title: study.alert }, "Critical"),
      el("a", { class: "study-link", href: `/read/${study.id}` }, nameOf(study)),
      study.is_sample && el("span", { class: "chip" }, "Sample")),
    el("div", { class: "muted small" }, `${study.protocol ? words(study.protocol) : "Region not known yet"} · ${owner}`,
      el("span", { class: "study-age" }, ` · ${age(study.created_at)}`)),
  ];
}

function place(position) {
  if (!position || position <= 1) return "Next in the queue";
  return `${position - 1} ahead in the queue`;
}

function progressOf(study) {
  const job = study.job;
  if (job?.state === "running") {
    const percent = Math.round(100 * job.fraction);
    const stage = sentence(job.message || words(job.stage));
    return [
      el("span", { class: "small" }, `${stage} ${percent}\u00a0%`),
      el("progress", { value: job.fraction, max: 1, "aria-label": `Reading of ${nameOf(study)}` }),
    ];
  }
  return [el("span", { class: "small muted" }, place(job?.queue_position))];
}

function statusCell(study) {
  const further = study.status === "ready" && isActive(study);
  return [
    el("span", { class: `chip ${STATUS_KIND[study.status] ?? ""}` }, words(study.status)),
    (isActive(study) || further) && el("div", { class: "progress-cell" }, progressOf(study)),
  ];
}

function burdenCell(study) {
  if (study.burden === null || study.burden === undefined) return [el("span", { class: "muted" }, "–")];
  return [
    el("strong", { class: "burden" }, study.burden.toFixed(0)),
    el("span", { class: "muted small" }, ` ${study.burden_category ?? ""}`),
  ];
}

function findingsCell(study) {
  if (study.error) return [el("p", { class: "clamp error-cell" }, sentence(study.error.message))];
  return [
    study.is_critical && study.alert && el("p", { class: "clamp alert-words" }, study.alert),
    el("p", { class: "clamp", title: study.levels_summary }, study.levels_summary || (study.status === "ready" ? "Nothing stands out" : "")),
  ];
}

function reportCell(study) {
  if (!study.report_status) return [el("span", { class: "muted" }, "–")];
  return [el("span", { class: `chip ${REPORT_KIND[study.report_status] ?? ""}` }, words(study.report_status))];
}

function actionCell(study, act) {
  const name = nameOf(study);
  const button = (verb, label) =>
    el("button", { type: "button", class: "quiet small", "aria-label": `${label} ${name}`, onclick: () => act(verb, study.id) }, label);
  return [
    el("div", { class: "row-actions" },
      isActive(study) && button("cancel", "Cancel"),
      AGAIN.has(study.status) && button("retry", "Try again"),
      button("details", "Details")),
  ];
}

const CELLS = [
  ["study-cell", studyCell], ["status-cell", statusCell], ["burden-cell", burdenCell], ["findings-cell", findingsCell], ["", reportCell],
  ["age-cell", (study) => [timeOf(study.created_at, age(study.created_at))]],
];

/** The body of the table. `act(verb, id)` is called for cancel, retry and details. */
export class Rows {
  constructor(body, act) {
    this.body = body;
    this.act = act;
    this.shown = new Map();
  }

  /** Show these studies in this order; cells that did not change are left alone. */
  show(studies) {
    const focused = document.activeElement;
    const kept = new Set(studies.map((study) => study.id));
    for (const [id, row] of this.shown) {
      if (!kept.has(id)) {
        row.node.remove();
        this.shown.delete(id);
      }
    }
    studies.forEach((study, index) => {
      const row = this.row(study);
      if (this.body.children[index] !== row.node) this.body.insertBefore(row.node, this.body.children[index] ?? null);
    });
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
  }

  row(study) {
    let row = this.shown.get(study.id);
    if (!row) {
      const cells = [...CELLS.map(([name]) => el("td", { class: name || null })), el("td", { class: "actions-cell" })];
      row = { node: el("tr", { dataset: { id: study.id } }, cells), cells, told: [] };
      this.shown.set(study.id, row);
    }
    CELLS.forEach(([, make], index) => this.fill(row, index, make(study)));
    this.fill(row, CELLS.length, actionCell(study, this.act));
    row.node.classList.toggle("critical", study.is_critical);
    return row;
  }

  /** Replace a cell's content where it differs; a link or button that had the focus keeps it. */
  fill(row, index, content) {
    const cell = row.cells[index];
    const fresh = el("td", {}, content);
    if (row.told[index] === fresh.innerHTML) return;
    row.told[index] = fresh.innerHTML;
    const mark = document.activeElement;
    const place = cell.contains(mark) ? [...cell.querySelectorAll("a, button")].indexOf(mark) : -1;
    cell.replaceChildren(...fresh.childNodes);
    if (place >= 0) (cell.querySelectorAll("a, button")[place] ?? cell.querySelector("a, button"))?.focus();
  }
}
