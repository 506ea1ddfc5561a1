// The head of the reading room: which study, how urgent, in what state; and the critical alert, which stays until
// a radiologist has acknowledged it.

import { button, el, fill } from "./dom.js";
import { fullName, statusWords } from "./words.js";

/** Fill the head; `links`: {openReading(id), toggleHidden(), help(), select(findingId)}. */
export function createHeader(head, alertBox, room, links) {
  const draw = () => {
    fill(head, identity(room), el("span", { class: "grow" }), room.isHidden ? null : burden(room.study), readings(room, links),
      hideSwitch(room, links), button("?", links.help, { class: "icon quiet", label: "Keyboard shortcuts (?)" }));
    drawAlert(alertBox, room, links);
  };
  for (const name of ["report", "study", "hidden"]) room.on(name, draw);
  draw();
}

function identity(room) {
  const { study, report } = room;
  const kinds = { draft: "warn", reviewed: "accent", signed: "ok", amended: "warn" };
  return [
    el("a", { href: "/worklist", class: "back", "aria-label": "Back to the worklist", title: "Back to the worklist" }, "←"),
    el("h1", {}, study.label || "Study without a label"),
    el("span", { class: "chip" }, study.protocol ?? "protocol unknown"),
    study.is_sample ? el("span", { class: "chip" }, "sample") : null,
    el("span", { class: `chip ${kinds[report.status] ?? ""}`, id: "report-status" }, statusWords(report.status)),
    el("span", { class: "muted small version" }, `version ${report.version}`),
  ];
}

function burden(study) {
  if (study.burden === null || study.burden === undefined) return null;
  const score = Math.round(study.burden);
  const fillBar = el("span", { class: "burden-fill" });
  fillBar.style.width = `${Math.min(100, score)}%`;
  return el("span", { class: "burden", title: "Degeneration burden score, 0 to 100" },
    el("span", { class: "muted small" }, "Burden"), el("span", { class: "burden-bar", "aria-hidden": "true" }, fillBar),
    el("span", { class: "small" }, `${score}${study.burden_category ? `, ${study.burden_category}` : ""}`));
}

function readings(room, links) {
  const list = room.study.readings ?? [];
  if (list.length < 2) return null;
  const select = el("select", { "aria-label": "Reading shown in the viewer", class: "small", onchange: () => links.openReading(select.value) },
    list.map((reading) => el("option", { value: reading.id },
      `${reading.writer || "default"}${reading.id === room.report.reading_id ? " (reported)" : ""}`)));
  select.value = room.shownReadingId ?? room.report.reading_id;
  return select;
}

function hideSwitch(room, links) {
  return button("Look first", links.toggleHidden, {
    class: "quiet small", id: "hide-ai", "aria-pressed": String(room.prefersHidden),
    label: "Look first: hide the AI's grades until I have looked",
  });
}

function drawAlert(box, room, links) {
  const critical = room.report.findings.filter((finding) => finding.is_critical);
  const open = critical.filter((finding) => !finding.acknowledged);
  const isAlerted = room.study.is_critical || critical.length > 0;
  box.hidden = !isAlerted;
  if (!isAlerted) return;
  const isCalm = critical.length > 0 && open.length === 0;
  box.classList.toggle("calm", isCalm);
  const words = room.study.alert || "This study has a critical finding.";
  const state = isCalm ? "Acknowledged." : null;
  const signature = JSON.stringify([words, isCalm, room.isLocked, open.map((finding) => finding.id)]);
  if (box.dataset.signature === signature) return;
  box.dataset.signature = signature;
  fill(box, el("span", { class: "alert-sign", "aria-hidden": "true" }, "!"),
    el("p", {}, el("strong", {}, words), state ? ` ${state}` : ""), (isCalm ? [] : open).map((finding) => el("span", { class: "row" },
      button(fullName(finding), () => links.select(finding.id), { class: "chip finding-chip danger" }),
      room.isLocked ? null : button("Acknowledge", () => room.acknowledge(finding.id), { class: "alert-button", label: `Acknowledge ${fullName(finding)}` }))));
}

