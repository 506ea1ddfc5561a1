// Chips of findings: their words, never their bare ids; a click shows the finding in the images and the report.

import { button } from "./dom.js";
import { fullName } from "./words.js";

/** Chips of the findings among `ids`, the first few at once; ids of measurements are left to the sentence's words. */
export function chips(room, ids, limit = 6) {
  const found = ids.map((id) => room.finding(id)).filter((finding) => finding !== null);
  const shown = found.slice(0, limit).map((finding) => chip(room, finding));
  if (found.length <= limit) return shown;
  const more = button(`+ ${found.length - limit}`, () => more.replaceWith(...found.slice(limit).map((finding) => chip(room, finding))), {
    class: "chip finding-chip", label: `Show ${found.length - limit} more findings` });
  return [...shown, more];
}

/** One finding as a chip. */
export function chip(room, finding) {
  return button(fullName(finding), () => room.selectFinding(finding.id, "chip"), {
    class: `chip finding-chip${finding.is_positive ? " warn" : ""}`, dataset: { finding: finding.id },
  });
}
