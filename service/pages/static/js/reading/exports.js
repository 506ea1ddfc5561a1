// The export menu: every format with a line on what it is for; what a study cannot leave as says why.

import { button, el } from "./dom.js";

const NO_DICOM = "not for this study: it is no DICOM";
const NO_DICOM_WHY = "DICOM objects refer to the DICOM images they were made of; this study was read from another kind of file.";
const SLOW_MS = 1500;
const FREE_AFTER_MS = 60_000;

/** Kind, name, what it is, whether it needs a DICOM study. */
const GROUPS = [
  ["Report", [
    ["pdf", "PDF", "to print, with key images and tables"],
    ["docx", "Word (DOCX)", "the same, to be edited"],
    ["html", "HTML page", "one page without outside resources"],
    ["md", "Markdown", "plain text for other systems"],
  ]],
  ["DICOM for the PACS, as zip", [
    ["seg", "Segmentation (SEG)", "vertebrae, discs and canal on the images", true],
    ["sr", "Structured report (SR)", "coded grades, measurements (TID 1500)", true],
    ["dicom-pdf", "Document in DICOM", "the PDF as an object of the study", true],
    ["key-images", "Key images", "pictures of the findings with their boxes", true],
  ]],
  ["Data", [
    ["fhir", "FHIR", "DiagnosticReport in R4 and R5"],
    ["csv", "Tables (CSV)", "grades, measurements, sentences"],
    ["bids", "BIDS derivative", "label maps and tables for research"],
    ["json", "JSON with all versions", "what was proposed and decided"],
  ]],
  ["Together", [["all", "Everything", "all that this study can leave as, zipped"]]],
];

/** Build the menu of a report. */
export function exportMenu(room) {
  const isDraft = room.report.status !== "signed";
  return el("details", { class: "menu up", id: "export" },
    el("summary", { class: "small" }, isDraft ? "Export draft" : "Export"),
    el("div", { class: "menu-items" },
      isDraft ? el("p", { class: "small muted" }, "Not signed: every page says DRAFT.") : null,
      GROUPS.map(([title, formats], index) => group(room, title, formats, index))));
}

function group(room, title, formats, index) {
  const id = `export-group-${index}`;
  return el("section", { class: "export-group", "aria-labelledby": id }, el("h3", { class: "small", id }, title),
    el("ul", { class: "plain" }, formats.map((format) => item(room, format))));
}

/** A format; one that cannot be made stays in reach of keys and readers, and says why. */
function item(room, [kind, name, what, needsDicom = false]) {
  const why = needsDicom && room.report.source !== "dicom" ? NO_DICOM : null;
  const note = `export-${kind}-note`;
  const act = (event) => (why ? room.notice(`${name}: ${NO_DICOM_WHY}`, "warn") : download(room, kind, name, event.currentTarget));
  return el("li", {},
    button(name, act, { class: "link", "data-kind": kind, "aria-describedby": note, "aria-disabled": why ? "true" : null }),
    el("span", { class: "small muted", id: note }, why ?? what));
}

async function download(room, kind, name, pressed) {
  if (pressed.getAttribute("aria-busy") === "true" || !(await room.save())) return;
  pressed.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => room.notice(`${name}: being made. This may take a minute; you can go on reading.`), SLOW_MS);
  try {
    const answer = await room.api.response(`${room.path}/export/${kind}`, { headers: { Accept: "*/*" } });
    hand(await answer.blob(), fileName(answer) ?? `report.${kind}`);
  } catch (error) {
    room.notice(`${name}: ${error.message}`, "danger");
  } finally {
    clearTimeout(slow);
    pressed.removeAttribute("aria-busy");
  }
}

function fileName(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? null;
}

/** Give a file to the browser's downloads. */
function hand(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), FREE_AFTER_MS);
}
