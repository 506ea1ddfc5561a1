// One finding in the table: its grade, how sure the machine is, what cannot be excluded, and the reader's decision.

import { button, el } from "./dom.js";
import { findingName, fullName, gradeWords, notExcluded, percent, shortWords, standingGrade, verdictWords } from "./words.js";
import { timeOf } from "../dom.js";
import { isGraded } from "./findings_view.js";

/** The row of a finding. `actions`: {select, accept, edit, reject}. */
export function findingRow(finding, { isSelected, isLocked, hasLevel, actions }) {
  const row = el("tr", {
    class: `finding${finding.is_positive ? " positive" : ""}${finding.is_critical ? " critical" : ""}`,
    dataset: { finding: finding.id }, "aria-current": isSelected ? "true" : null,
    onclick: (event) => { if (!event.target.closest("button, input, textarea")) actions.select(finding.id); },
  });
  row.append(
    el("th", { scope: "row" }, button(hasLevel ? fullName(finding) : findingName(finding), () => actions.select(finding.id), { class: "link name" }),
      finding.is_critical ? el("span", { class: "chip danger" }, "critical") : null),
    el("td", { class: "grade" }, gradeCell(finding)),
    el("td", { class: "sure" }, isGraded(finding) ? bar(finding) : null),
    el("td", { class: "decide" }, decisions(finding, isLocked, actions)));
  return row;
}

function gradeCell(finding) {
  if (!isGraded(finding) && finding.decision?.verdict !== "edit") return el("span", { class: "muted" }, "not assessable");
  const standing = standingGrade(finding);
  const given = finding.grade_words || gradeWords(finding, finding.grade);
  const rest = notExcluded(finding);
  const isRejected = finding.decision?.verdict === "reject";
  return [
    standing !== finding.grade || isRejected
      ? [el("del", {}, given), " ", el("strong", {}, isRejected ? "rejected" : gradeWords(finding, standing))]
      : el("span", { class: isAbnormal(finding) ? "given abnormal" : "given" }, given),
    rest.length && !finding.decision ? el("span", { class: "doubt" }, `cannot exclude: ${rest.join(", ")}`) : null,
  ];
}

/** Whether the grade itself, not a doubt about it, is beyond the first step of its scale. */
const isAbnormal = (finding) => finding.is_positive && finding.grade !== finding.choices?.[0]?.grade;

/** Bar of the calibrated probabilities of all grades, mildest first, with the given one's share in words. */
export function bar(finding) {
  const grades = gradesOf(finding);
  const told = grades.map((grade) => `${gradeWords(finding, grade)} ${percent(finding.probabilities[grade] ?? 0)}`).join(", ");
  if (!Object.keys(finding.probabilities ?? {}).length) return el("span", { class: "muted small" }, "measured");
  const parts = grades.map((grade, index) => {
    const share = finding.probabilities[grade] ?? 0;
    const step = grades.length > 1 ? Math.round((4 * index) / (grades.length - 1)) : 0;
    const part = el("span", { class: `part step-${step}${finding.prediction_set?.includes(grade) ? " in-set" : ""}` });
    part.style.flexGrow = String(share);
    return part;
  });
  return el("span", { class: "sureness" },
    el("span", { class: "stack", role: "img", "aria-label": `Probabilities: ${told}`, title: told }, parts),
    el("span", { class: "number small" }, percent(finding.probabilities[finding.grade] ?? 0)));
}

function gradesOf(finding) {
  const known = finding.choices?.map((choice) => choice.grade).filter((grade) => grade in (finding.probabilities ?? {})) ?? [];
  return known.length ? known : Object.keys(finding.probabilities ?? {});
}

function decisions(finding, isLocked, actions) {
  const name = fullName(finding);
  const verdict = finding.decision?.verdict;
  const one = (kind, glyph, label, action) => button(glyph, () => action(finding.id), {
    class: `icon quiet verdict verdict-${kind}`, label: `${label} ${name}`, "aria-pressed": String(verdict === kind), disabled: isLocked,
  });
  if (!isGraded(finding)) return el("span", { class: "verdicts" }, one("edit", "✎", "Grade", actions.edit));
  return el("span", { class: "verdicts", role: "group", "aria-label": `Decision on ${name}` },
    one("accept", "✓", "Accept", actions.accept), one("edit", "✎", "Edit", actions.edit), one("reject", "✕", "Reject", actions.reject));
}

/**
 * The row under the selected finding: why, where, the choices of an edit, the note.
 *
 * @param {Room} room
 * @param {Object} finding
 * @param {Object} options {isEditing, actions: {choose(grade, note), undo, saliency, sentence(key)}}
 */
export function detailRow(room, finding, { isEditing, actions }) {
  const sentences = room.sentencesOf(finding.id);
  const note = el("textarea", { rows: "2", maxlength: "1000", id: "decision-note" });
  note.value = finding.decision?.note ?? "";
  return el("tr", { class: "finding-details" }, el("td", { colspan: "4" }, el("div", { class: "details small" },
    isEditing ? choices(finding, note, actions) : null,
    probabilityWords(finding),
    finding.reason ? el("p", {}, isGraded(finding) ? finding.reason : `Not assessable: ${finding.reason}`) : null,
    decisionWords(finding, room.isLocked, actions),
    sentences.length ? el("p", {}, "In the report: ", sentences.map((sentence) =>
      button(sentence.text, () => actions.sentence(sentence.key), { class: "link quote" }))) : el("p", { class: "muted" }, "No sentence of the report stands on it."),
    finding.series ? el("p", { class: "row" }, el("span", { class: "muted" }, `Series ${finding.series}, slice ${finding.slice + 1}`),
      button("Grad-CAM", () => actions.saliency(finding.id), { class: "quiet small", label: "Grad-CAM: where the network looked (g)" })) : null)));
}

function choices(finding, note, actions) {
  const standing = standingGrade(finding);
  return el("div", { class: "choices", role: "group", "aria-label": `Right grade of ${fullName(finding)}` },
    el("p", {}, el("strong", {}, "Which grade is right?"), " Press its number, or Esc to leave it."),
    el("div", { class: "row" }, (finding.choices ?? []).map((choice, index) => button(
      [el("kbd", { "aria-hidden": "true" }, String(index + 1)), ` ${choice.words}`], () => actions.choose(choice.grade, note.value),
      { class: "quiet small choice", "aria-pressed": String(choice.grade === standing), dataset: { grade: choice.grade } }))),
    el("div", { class: "field" }, el("label", { for: "decision-note" }, "Note (kept with the decision)"), note));
}

function probabilityWords(finding) {
  const grades = gradesOf(finding);
  if (!grades.length) return null;
  return el("p", {}, grades.map((grade) => el("span", { class: finding.prediction_set?.includes(grade) ? "share in-set" : "share" },
    `${shortWords(finding, grade)} ${percent(finding.probabilities[grade])}`)),
    el("span", { class: "muted" }, " underlined: cannot be excluded"));
}

function decisionWords(finding, isLocked, actions) {
  const { decision } = finding;
  if (!decision) return null;
  const grade = decision.verdict === "edit" ? ` to ${gradeWords(finding, decision.grade)}` : "";
  const person = decision.user?.display_name ?? decision.user?.name ?? decision.user ?? "";
  return el("p", { class: "row" }, el("span", {}, `${verdictWords(decision.verdict)}${grade} by ${person} `, timeOf(decision.at),
    decision.note ? ` — ${decision.note}` : ""),
    isLocked ? null : button("Undo decision", () => actions.undo(finding.id), { class: "quiet small" }));
}

