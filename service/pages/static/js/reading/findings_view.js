// Which findings are shown in which order: by level with the normal ones folded, or by doubt.

export const FILTERS = [
  ["all", "All", "All findings by level; normal ones are folded"],
  ["positive", "Positive", "Findings that are not normal"],
  ["undecided", "To decide", "Positive findings without your decision"],
  ["uncertain", "Uncertain first", "By doubt: what the machine is least sure of comes first"],
];

export const isGraded = (finding) => finding.status === "graded";
const isUncertain = (finding) => isGraded(finding) && (finding.prediction_set?.length ?? 0) > 1;
export const isPlainNormal = (finding) => isGraded(finding) && !finding.is_positive && !isUncertain(finding);
export const needsDecision = (finding) => isGraded(finding) && finding.is_positive && !finding.decision;

/** Chance that the grade is wrong, 0 to 1, as far as the machine knows it. */
export function doubt(finding) {
  const shares = Object.values(finding.probabilities ?? {});
  return shares.length ? 1 - Math.max(...shares) : 0;
}

/** Title of the group that a finding is shown in. */
export const groupOf = (finding) => finding.level ?? "Whole study";

/**
 * Groups to show: [{title, rows, normal, missing, all}]. `rows` stand open, `normal` (certain and not positive,
 * undecided or accepted) and `missing` (not assessable) can be folded away; `all` is every finding of the group.
 */
export function grouped(findings, filter) {
  if (filter === "uncertain") {
    const rows = findings.filter(isGraded).sort((a, b) => doubt(b) - doubt(a));
    return [{ title: "By doubt", rows, normal: [], missing: [], all: rows }];
  }
  const kept = filter === "positive" ? findings.filter((item) => item.is_positive)
    : filter === "undecided" ? findings.filter(needsDecision) : findings;
  const groups = new Map();
  for (const finding of kept) {
    const title = groupOf(finding);
    if (!groups.has(title)) groups.set(title, { title, rows: [], normal: [], missing: [], all: [] });
    const group = groups.get(title);
    group.all.push(finding);
    if (!isGraded(finding)) group.missing.push(finding);
    else if (isPlainNormal(finding) && finding.decision?.verdict !== "edit" && finding.decision?.verdict !== "reject") group.normal.push(finding);
    else group.rows.push(finding);
  }
  return [...groups.values()];
}

/** Counts told above the table. */
export function counts(findings) {
  return {
    positive: findings.filter((item) => item.is_positive).length,
    undecided: findings.filter(needsDecision).length,
    uncertain: findings.filter(isUncertain).length,
    all: findings.filter(isGraded).length,
  };
}
