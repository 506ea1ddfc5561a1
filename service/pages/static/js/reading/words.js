// Words of the reading room: what marks, grades and states are called on the screen.

export const MARKS = {
  supported: { glyph: "✓", name: "machine, checked", note: "Written by the language model and checked against the grades." },
  composed: { glyph: "C", name: "composed", note: "Composed from the grades by fixed rules; no language model wrote it." },
  repaired: { glyph: "R", name: "repaired", note: "The language model's sentence did not agree with the grades; it was written anew by fixed rules." },
  follow: { glyph: "↻", name: "changed by a decision", note: "Changed because a finding behind it was edited or rejected." },
  human: { glyph: "✎", name: "written by a reader", note: "Written or changed by a reader." },
};

const SECTIONS = { technique: "Technique and limits", findings: "Findings", impression: "Impression", comparison: "Comparison" };
const STATUS = {
  queued: "Waiting", reading: "Being read", ready: "Read", refused: "Refused", failed: "Failed", cancelled: "Cancelled",
  draft: "Draft", reviewed: "Reviewed", signed: "Signed", amended: "Amended",
};
const VERDICTS = { accept: "accepted", edit: "changed", reject: "rejected" };

/** Return the key of a sentence's mark in MARKS. */
export function markOf(sentence) {
  if (sentence.origin === "human" || sentence.isEdited) return "human";
  if (sentence.origin === "follow") return "follow";
  if (sentence.status === "repaired") return "repaired";
  return sentence.source === "composer" ? "composed" : "supported";
}

/** Return the title of a report's section. */
export function sectionTitle(name) {
  return SECTIONS[name] ?? name.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
}

export const statusWords = (status) => STATUS[status] ?? String(status ?? "");
export const verdictWords = (verdict) => VERDICTS[verdict] ?? verdict;
export const percent = (share) => `${Math.round(100 * share)} %`;
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Return the name of a finding: condition and side. */
export function findingName(finding) {
  const words = finding.condition_words || finding.condition.replaceAll("_", " ");
  return finding.side ? `${words}, ${finding.side}` : words;
}

/** Return the name of a finding with its level. */
export const fullName = (finding) => (finding.level ? `${finding.level} ${findingName(finding)}` : findingName(finding));

/** Return the words of a grade of a finding's scale. */
export function gradeWords(finding, grade) {
  return finding.choices?.find((choice) => choice.grade === grade)?.words ?? String(grade).replaceAll("_", " ");
}

/** Words of a grade without the name of its scale where the one given says it already: "III" beside "Pfirrmann grade II". */
export function shortWords(finding, grade) {
  const isNamed = [grade, finding.grade].every((item) => gradeWords(finding, item).endsWith(` ${item}`));
  return isNamed ? String(grade) : gradeWords(finding, grade);
}

/** Return the grade that stands: the reader's where there is one, else the machine's; null when not assessable. */
export function standingGrade(finding) {
  if (finding.decision?.verdict === "edit" && finding.decision.grade) return finding.decision.grade;
  return finding.grade;
}

/** Return grades that the conformal set keeps beside the grade given: what cannot be excluded. */
export function notExcluded(finding) {
  return (finding.prediction_set ?? []).filter((grade) => grade !== finding.grade).map((grade) => shortWords(finding, grade));
}

/** Return who did something, whatever the shape the service tells it in. */
export function who(person) {
  if (!person) return "";
  return typeof person === "string" ? person : person.display_name || person.name || "";
}
