// Chips of findings: their words, never their bare ids; a click shows the finding in the images and the report.

import { button, el } from "./dom.js";
import { fullName } from "./words.js";

/** Chips of the findings among `ids`; ids of measurements are left to the sentence's own words. */
export function chips(room, ids, limit = 12) {
  const found = ids.map((id) => room.finding(id)).filter((finding) => finding !== null);
  const shown = found.slice(0, limit).map((finding) => chip(room, finding));
  return found.length > limit ? [...shown, el("span", { class: "muted" }, `and ${found.length - limit} more`)] : shown;
}

/** One finding as a chip. */
export function chip(room, finding) {
  return button(fullName(finding), () => room.selectFinding(finding.id, "chip"), {
    class: `chip finding-chip${finding.is_positive ? " warn" : ""}`, dataset: { finding: finding.id },
  });
}
