// The table of findings: filters, folding of what is normal, decisions by button and by key.

import { button, el, fill, reveal } from "./dom.js";
import { detailRow, findingRow } from "./finding_row.js";
import { counts, FILTERS, grouped, groupOf, isPlainNormal, needsDecision } from "./findings_view.js";
import { plural } from "./words.js";

/** Build the table in `container`; `links`: {saliency(findingId), sentence(key)}. */
export function createFindings(container, room, links) {
  return new Findings(container, room, links);
}

class Findings {
  constructor(container, room, links) {
    this.room = room;
    this.links = links;
    this.filter = "all";
    this.open = new Set();
    this.editing = null;
    this.visible = [];
    /** Place in the list of the finding selected last: it may have left the list by being decided. */
    this.place = 0;
    this.filters = el("div", { class: "filters row", role: "group", "aria-label": "Which findings" });
    this.told = el("p", { class: "muted small told", role: "status" });
    this.table = el("div", { class: "scroll table-wrap", tabindex: "0", role: "region", "aria-label": "Findings" });
    fill(container, el("div", { class: "toolbar" }, this.filters), this.told, this.table);
    this.actions = {
      select: (id) => this.#toggle(id), accept: (id) => this.accept(id), edit: (id) => this.edit(id), reject: (id) => this.reject(id),
      choose: (grade, note) => this.choose(grade, note), undo: (id) => room.undecide(id),
      saliency: (id) => links.saliency(id), sentence: (key) => links.sentence(key),
    };
    room.on("report", () => this.#draw());
    room.on("finding", ({ from }) => this.#selected(from));
    room.on("level", ({ level }) => this.#showLevel(level));
    this.#draw();
  }

  show(filter) {
    this.filter = filter;
    this.#draw();
  }

  /** Select the next (1) or previous (-1) finding that is shown. */
  step(by) {
    if (!this.visible.length) return;
    const index = this.visible.indexOf(this.room.findingId);
    const wanted = index >= 0 ? index + by : this.place + Math.min(by, 0);
    const next = Math.min(this.visible.length - 1, Math.max(0, wanted));
    this.room.selectFinding(this.visible[next], "keys");
  }

  async accept(id = this.room.findingId) {
    if (this.#canDecide(id, true)) await this.room.decide(id, "accept");
  }

  async reject(id = this.room.findingId) {
    if (this.#canDecide(id, true)) await this.room.decide(id, "reject");
  }

  edit(id = this.room.findingId) {
    if (!this.#canDecide(id)) return;
    this.editing = this.editing === id ? null : id;
    if (this.room.findingId === id) this.#draw();
    else this.room.selectFinding(id, "findings");
    this.table.querySelector(".choices button")?.focus();
  }

  async choose(grade, note = "") {
    const id = this.editing;
    this.editing = null;
    if (id !== null) await this.room.decide(id, "edit", { grade, note });
  }

  /** Choose the numbered grade while a finding is edited; returns whether the key was taken. */
  chooseNumber(number) {
    const choice = this.editing === null ? null : this.room.finding(this.editing)?.choices?.[number - 1];
    if (!choice) return false;
    this.choose(choice.grade, this.table.querySelector("#decision-note")?.value ?? "");
    return true;
  }

  stopEditing() {
    this.editing = null;
    this.#draw();
  }

  /** Whether a finding can be decided; one that was not assessable can only be given a grade. */
  #canDecide(id, needsGrade = false) {
    const finding = id === null ? null : this.room.finding(id);
    return finding !== null && (!needsGrade || finding.status === "graded") && !this.room.isLocked;
  }

  #toggle(id) { this.room.selectFinding(this.room.findingId === id ? null : id, "findings"); }

  #selected(from) {
    const finding = this.room.finding(this.room.findingId ?? "");
    if (this.editing !== this.room.findingId) this.editing = null;
    if (finding && !this.visible.includes(finding.id)) this.#makeVisible(finding);
    this.#draw();
    if (finding) this.place = Math.max(0, this.visible.indexOf(finding.id));
    const row = finding && this.table.querySelector(`tr[data-finding="${CSS.escape(finding.id)}"]`);
    if (row && from !== "findings" && this.table.offsetParent !== null) reveal(row, "center");
  }

  #showLevel(level) {
    if (this.filter === "uncertain") this.show("all");
    const group = [...this.table.querySelectorAll("tr.group")].find((row) => row.querySelector(".level").textContent === level);
    if (group && this.table.offsetParent !== null) reveal(group, "start");
  }

  #makeVisible(finding) {
    if (this.filter !== "all") this.filter = "all";
    this.open.add(`${groupOf(finding)} ${isPlainNormal(finding) ? "normal" : "missing"}`);
  }

  #draw() {
    const top = this.table.scrollTop;
    const focused = focusOf(this.table);
    const { findings } = this.room.report;
    const told = counts(findings);
    const groups = grouped(findings, this.filter);
    this.visible = [];
    fill(this.filters, FILTERS.map(([value, words, label]) => button(
      value in told && value !== "all" ? `${words} ` : words, () => this.show(value),
      { class: "quiet small", title: label, "aria-pressed": String(this.filter === value), dataset: { filter: value } })));
    this.told.textContent = `${plural(told.positive, "positive finding")}, ${told.undecided} to decide, ${told.uncertain} uncertain`;
    this.told.classList.toggle("unsaved", told.undecided > 0);
    fill(this.table, groups.some((group) => group.all.length) ? this.#table(groups) : el("p", { class: "empty" }, "Nothing here."));
    this.table.scrollTop = top;
    focused(this.table);
  }

  #table(groups) {
    return el("table", { class: "findings" },
      el("thead", {}, el("tr", {}, ["Finding", "Grade", "How sure", "Decision"].map((words) => el("th", { scope: "col" }, words)))),
      groups.map((group) => this.#group(group)));
  }

  #group(group) {
    const waiting = group.normal.filter((finding) => !finding.decision);
    const undecided = group.all.filter(needsDecision).length;
    const acceptAll = waiting.length && !this.room.isLocked
      ? button(`Accept ${waiting.length} normal`, () => this.#acceptAll(waiting), { class: "quiet small", label: `Accept ${waiting.length} normal findings of ${group.title}` })
      : null;
    const isByLevel = this.filter !== "uncertain";
    return el("tbody", {},
      isByLevel ? el("tr", { class: "group" }, el("th", { colspan: "4", scope: "rowgroup" }, el("div", { class: "row" },
        el("span", { class: "level" }, group.title),
        undecided ? el("span", { class: "chip warn" }, `${undecided} to decide`) : null,
        el("span", { class: "grow" }), acceptAll))) : null,
      group.rows.map((finding) => this.#rows(finding)),
      this.#fold(group, "normal", group.normal, "normal"),
      this.#fold(group, "missing", group.missing, "not assessable"));
  }

  #fold(group, kind, findings, words) {
    if (!findings.length) return [];
    const key = `${group.title} ${kind}`;
    const isOpen = this.open.has(key);
    const accepted = findings.filter((finding) => finding.decision).length;
    const head = el("tr", { class: "fold" }, el("td", { colspan: "4" }, button(
      `${isOpen ? "▾" : "▸"} ${findings.length} ${words}${accepted ? `, ${accepted} accepted` : ""}`,
      () => { if (isOpen) this.open.delete(key); else this.open.add(key); this.#draw(); },
      { class: "link", "aria-expanded": String(isOpen), dataset: { fold: key } })));
    return [head, isOpen ? findings.map((finding) => this.#rows(finding)) : []];
  }

  #rows(finding) {
    const isSelected = finding.id === this.room.findingId;
    this.visible.push(finding.id);
    const row = findingRow(finding, { isSelected, isLocked: this.room.isLocked, hasLevel: this.filter === "uncertain", actions: this.actions });
    return isSelected ? [row, detailRow(this.room, finding, { isEditing: this.editing === finding.id, actions: this.actions })] : [row];
  }

  async #acceptAll(findings) {
    if (!(await this.room.acceptAll(findings.map((finding) => finding.id)))) return;
    this.room.notice(`${plural(findings.length, "normal finding")} accepted.`, "ok");
  }
}

/** Remember which button of a table has the focus; returns a function that gives it back after a redraw. */
function focusOf(table) {
  const active = document.activeElement;
  if (!active || active === table || !table.contains(active)) return () => {};
  const label = active.getAttribute("aria-label") ?? active.textContent;
  const { tagName } = active;
  return (fresh) => [...fresh.querySelectorAll(tagName)]
    .find((item) => (item.getAttribute("aria-label") ?? item.textContent) === label)?.focus({ preventScroll: true });
}
