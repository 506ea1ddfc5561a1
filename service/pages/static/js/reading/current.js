// The finding that is selected, in one line under every tab but the table's own: decide without leaving the report.

import { button, el, fill } from "./dom.js";
import { findingRow } from "./finding_row.js";

/** Build the line; `links`: {edit(id), show(id)}. */
export function createCurrent(container, room, links) {
  const draw = () => {
    const finding = room.finding(room.findingId ?? "");
    container.hidden = finding === null || room.isHidden;
    if (container.hidden) return;
    const row = findingRow(finding, {
      isSelected: false, isLocked: room.isLocked, hasLevel: true,
      actions: { select: links.show, accept: (id) => room.decide(id, "accept"), edit: links.edit, reject: (id) => room.decide(id, "reject") },
    });
    fill(container, el("table", { class: "findings", "aria-label": "Selected finding" }, el("tbody", {}, row)),
      button("×", () => room.selectFinding(null, "current"), { class: "icon quiet", label: "Select no finding" }));
  };
  for (const name of ["finding", "report", "hidden"]) room.on(name, draw);
  draw();
}
