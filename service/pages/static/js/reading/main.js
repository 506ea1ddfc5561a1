// The reading room's entry: waits for the study to be read, then opens viewer, report, findings and questions.

import { api } from "../api.js";
import { toast } from "../dom.js";
import { createAsk } from "./ask.js";
import { createCompare } from "./compare.js";
import { resolveConflict } from "./conflict.js";
import { createCurrent } from "./current.js";
import { button, el, fill } from "./dom.js";
import { createEditor } from "./editor.js";
import { createFindings } from "./findings.js";
import { createHeader } from "./header.js";
import { createSplit, createTabs } from "./layout.js";
import { createModels } from "./models.js";
import { Room } from "./room.js";
import { listenForKeys, showKeys } from "./shortcuts.js";
import { createSignBar } from "./sign.js";
import { createVersions } from "./versions.js";
import { ViewerLink } from "./viewer_link.js";
import { isWaiting, showFailed, showWaiting } from "./waiting.js";
import { needsDecision } from "./findings_view.js";

const AUTOSAVE_MS = 15000;
const byId = (id) => document.getElementById(id);
const page = byId("reading");
const actor = { name: document.body.dataset.user, role: document.body.dataset.role };

await open();

/** Show the study as far as it is. */
async function open() {
  const wait = byId("waiting");
  try {
    const study = await api.get(`/studies/${page.dataset.studyId}`);
    const hasReport = (study.readings ?? []).length > 0;
    if (!hasReport && isWaiting(study)) return showWaiting(wait, api, study, open);
    if (!hasReport) return showFailed(wait, api, study, open);
    const report = await api.get(`/studies/${study.id}/report`);
    wait.hidden = true;
    page.hidden = false;
    return openRoom(new Room(api, study, report, actor));
  } catch (error) {
    fill(wait, el("section", { class: "panel narrow" }, el("h1", {}, "The study cannot be opened"),
      el("p", { role: "alert" }, error.message), el("a", { href: "/worklist" }, "To the worklist")));
    throw error;
  }
}

function openRoom(room) {
  room.prefersHidden = document.body.dataset.hideAi === "true";
  room.on("notice", ({ words, kind }) => { if (!document.querySelector("dialog[open] .ask-form")) toast(words, kind); });
  room.on("conflict", ({ theirs }) => resolveConflict(room, theirs, { base: room.draft.base.sections, mine: room.draft.sections }));
  const viewer = new ViewerLink(byId("viewer"), room);
  const tabs = buildTabs(room, viewer);
  createSplit(page.querySelector(".frame"), byId("split"));
  createHeader(byId("room-head"), byId("alert"), room, {
    openReading: (id) => viewer.open(id), toggleHidden: () => toggleHidden(room), help: showKeys,
    select: (id) => tabs.finding(id),
  });
  createSignBar(byId("sign-bar"), room, {
    finding: tabs.finding, showUndecided: () => tabs.findings().show("undecided"), report: () => tabs.show("report"),
    alert: () => byId("alert").querySelector("button.alert-button")?.focus(),
  });
  createCurrent(byId("current"), room, { edit: (id) => tabs.findings().edit(id), show: tabs.finding });
  connectKeys(room, viewer, tabs);
  keepUnsaved(room);
  hideUntilLooked(room);
  viewer.open(room.report.reading_id);
  restoreCopy(room);
}

/** Build the tabs; returns what other parts need of them. */
function buildTabs(room, viewer) {
  let findings = null;
  const sentence = (key) => {
    tabs.show("report");
    room.selectSentence(key, "link");
  };
  const links = { sentence, saliency: (id) => viewer.toggleSaliency(id), openReading: (id) => viewer.open(id) };
  const tabs = createTabs(byId("tabs"), byId("panels"), [
    { id: "report", words: "Report", isEager: true, build: (panel) => createEditor(panel, room) },
    { id: "findings", words: "Findings", isEager: true, build: (panel) => { findings = createFindings(panel, room, links); } },
    { id: "ask", words: "Ask", build: (panel) => createAsk(panel, room, links) },
    { id: "compare", words: "Compare", build: (panel) => createCompare(panel, room), onShow: (shown) => shown.load() },
    { id: "versions", words: "History", build: (panel) => createVersions(panel, room), onShow: (shown) => shown.load() },
    { id: "models", words: "Models", build: (panel) => createModels(panel, room, links) },
  ]);
  tabs.start();
  const count = () => tabs.badge("findings", room.isHidden ? 0 : room.report.findings.filter(needsDecision).length, "to decide");
  for (const name of ["report", "hidden"]) room.on(name, count);
  count();
  const showFindings = () => {
    tabs.show("findings");
    return findings;
  };
  const picked = () => { if (!["report", "findings"].includes(tabs.current())) tabs.show("report"); };
  room.on("finding", ({ from }) => { if (from === "viewer") picked(); });
  room.on("level", picked);
  return {
    show: tabs.show, current: tabs.current, findings: showFindings, table: () => findings,
    finding: (id) => { showFindings(); room.selectFinding(id, "link"); },
  };
}

function connectKeys(room, viewer, tabs) {
  const onTable = (action) => () => {
    if (room.isHidden) return;
    action(["report", "findings"].includes(tabs.current()) ? tabs.table() : tabs.findings());
  };
  listenForKeys({
    next: onTable((table) => table.step(1)), previous: onTable((table) => table.step(-1)),
    accept: onTable((table) => table.accept()), reject: onTable((table) => table.reject()),
    edit: onTable(() => tabs.findings().edit()),
    number: (count) => tabs.current() === "findings" && tabs.table().chooseNumber(count),
    escape: () => { if (tabs.current() === "findings") tabs.table().stopEditing(); },
    save: () => room.save(), saliency: () => viewer.toggleSaliency(), overlay: () => viewer.toggleOverlay(),
    sliceBack: () => viewer.step(-1), sliceOn: () => viewer.step(1), help: showKeys,
  });
}

/** Save by itself when nothing was typed for a while, and ask before a page with unsaved text is left. */
function keepUnsaved(room) {
  let timer = null;
  room.on("draft", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { if (!document.querySelector("dialog[open]")) room.save(); }, AUTOSAVE_MS);
  });
  window.addEventListener("beforeunload", (event) => { if (room.draft.isDirty) event.preventDefault(); });
}

/** Take up text that a closed tab or a lost connection left unsaved. */
function restoreCopy(room) {
  const copy = room.isLocked ? null : room.restorable;
  if (!copy) return;
  if (copy.version === room.report.version) {
    room.edit((draft) => draft.replace(copy.mine));
    room.emit("report", { changed: new Set() });
    room.notice("Your unsaved text was restored. Save it, or undo.", "warn");
  } else resolveConflict(room, room.report, copy);
}

/** Cover what the machine says until the reader has looked, where the reader wants it so. */
function hideUntilLooked(room) {
  const cover = byId("cover");
  fill(cover, el("div", { class: "panel" }, el("h2", {}, "Look first"),
    el("p", {}, "The machine's grades and draft are hidden so that they do not lead your eye. A critical alert is shown even so."),
    button("I have looked: show the machine's reading", () => room.hide(false), { id: "looked" })));
  room.on("hidden", ({ isHidden }) => {
    cover.hidden = !isHidden;
    byId("panels").inert = isHidden;
    byId("panels").classList.toggle("covered", isHidden);
  });
  room.hide(room.prefersHidden && room.isUntouched);
}

async function toggleHidden(room) {
  const isWanted = !room.prefersHidden;
  try {
    await api.patch("/session/preferences", { hide_ai_until_first_look: isWanted });
    room.prefersHidden = isWanted;
    room.hide(isWanted && room.isUntouched);
  } catch (error) {
    room.notice(error.message, "danger");
  }
}
