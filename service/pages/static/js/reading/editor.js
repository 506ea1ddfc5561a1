// The report editor: one editable line a sentence, with its mark. A click shows where the sentence lies in the
// images; Enter begins a new sentence, Backspace in an empty one deletes it, Ctrl+Z undoes.

import { chips } from "./chips.js";
import { button, el, fill, reveal } from "./dom.js";
import { MARKS, markOf, sectionTitle } from "./words.js";

/** Sentences of a long section of limits that are shown at first. */
const FOLDED = { technique: 3 };
const EDITABLE = supportsPlainText() ? "plaintext-only" : "true";

/** Build the editor in `container`. */
export function createEditor(container, room) {
  return new Editor(container, room);
}

class Editor {
  constructor(container, room) {
    this.room = room;
    this.rows = new Map();
    this.openKey = null;
    this.changed = new Set();
    this.unfolded = new Set();
    this.status = el("span", { class: "save-state", role: "status" });
    this.undoButton = button("Undo", () => this.#undo(), { class: "quiet small", label: "Undo (Ctrl+Z)" });
    this.redoButton = button("Redo", () => this.#redo(), { class: "quiet small", label: "Redo (Ctrl+Shift+Z)" });
    this.saveButton = button("Save", () => room.save(), { class: "small", label: "Save the report (s)", id: "save" });
    this.jumps = el("nav", { class: "jumps", "aria-label": "Sections of the report" });
    this.body = el("div", { class: "report-body scroll", id: "report-body", tabindex: "0", role: "region", "aria-label": "Report" });
    fill(container, el("div", { class: "toolbar" }, this.jumps, el("span", { class: "grow" }), this.status,
      this.undoButton, this.redoButton, this.saveButton), this.body);
    this.body.addEventListener("keydown", (event) => this.#bodyKey(event));
    room.on("report", ({ changed }) => this.#show(changed));
    room.on("draft", () => this.#state());
    room.on("saving", () => this.#state());
    room.on("finding", ({ id, from }) => this.#light(id, from));
    room.on("sentence", ({ id, from }) => this.#mark(id, from));
    room.on("level", ({ level }) => this.#lightLevel(level));
    this.#show(new Set());
  }

  #show(changed) {
    for (const key of changed) this.changed.add(key);
    this.#draw();
    for (const key of changed) this.rows.get(key)?.classList.add("flash");
    const first = [...changed].find((key) => this.rows.has(key));
    if (first && this.body.offsetParent !== null) this.#reveal(first, "nearest");
  }

  #draw() {
    const top = this.body.scrollTop;
    const focused = this.#focus();
    this.rows.clear();
    const sections = this.room.draft.sections;
    fill(this.jumps, sections.map((section) => el("a", { href: `#section-${section.name}` },
      sectionTitle(section.name).split(" ")[0])));
    fill(this.body, sections.map((section) => this.#section(section)), this.#legend());
    this.body.scrollTop = top;
    this.#state();
    this.#light(this.room.findingId, "redraw");
    focused();
  }

  /** Remember which sentence is written in, by its place; returns a function that goes on there after a redraw. */
  #focus() {
    const text = document.activeElement?.closest?.(".sentence .text");
    if (!text || !this.body.contains(text)) return () => {};
    const section = text.closest(".report-section").id;
    const index = [...text.closest("ol").children].indexOf(text.closest("li"));
    const offset = getSelection().anchorOffset;
    return () => {
      const again = document.getElementById(section)?.querySelectorAll(".sentence .text")[index];
      if (!again) return;
      again.focus({ preventScroll: true });
      if (again.firstChild) getSelection().collapse(again.firstChild, Math.min(offset, again.textContent.length));
    };
  }

  #section(section) {
    const add = this.room.isLocked ? null
      : button("+ Add a sentence", () => this.#insert(section.name, section.sentences.at(-1)?.key ?? null), {
        class: "link add", label: `Add a sentence to ${sectionTitle(section.name)}` });
    return el("section", { class: "report-section", id: `section-${section.name}` },
      el("h3", {}, sectionTitle(section.name)),
      el("ol", { class: "sentences" }, section.sentences.map((sentence, index) => this.#row(section, sentence, index))),
      this.#fold(section), add);
  }

  /** Fold away the later sentences of a long section of limits; returns the button that shows them, or null. */
  #fold(section) {
    const shown = FOLDED[section.name] ?? Infinity;
    if (this.unfolded.has(section.name) || section.sentences.length <= shown + 1) return null;
    for (const sentence of section.sentences.slice(shown)) this.rows.get(sentence.key).hidden = true;
    return button(`▸ ${section.sentences.length - shown} more on limits`, () => this.#unfold(section.name), { class: "link fold", "aria-expanded": "false" });
  }

  #unfold(name) {
    this.unfolded.add(name);
    this.#draw();
  }

  /** Show a sentence, also where its section is folded. */
  #reveal(key, block) {
    if (this.rows.get(key)?.hidden) this.#unfold(this.room.draft.find(key)[0].name);
    reveal(this.rows.get(key) ?? this.body, block);
  }

  #row(section, sentence, index) {
    const name = `${sectionTitle(section.name)}, sentence ${index + 1}`;
    const row = el("li", { class: "sentence", dataset: { key: sentence.key } });
    const text = el("div", {
      class: "text", role: "textbox", "aria-label": name, "aria-readonly": this.room.isLocked ? "true" : null,
      "aria-multiline": "false", tabindex: "0", spellcheck: "true",
      contenteditable: this.room.isLocked ? null : EDITABLE,
    });
    text.textContent = sentence.text;
    const remove = this.room.isLocked ? null
      : button("×", () => this.#remove(sentence.key), { class: "icon quiet remove", label: `Delete ${name}` });
    fill(row, this.#markButton(sentence, name), text, remove);
    this.rows.set(sentence.key, row);
    this.#listen(text, section, sentence.key);
    if (this.openKey === sentence.key) row.append(this.#details(sentence));
    if (this.changed.has(sentence.key)) row.classList.add("changed");
    return row;
  }

  #markButton(sentence, name) {
    const mark = markOf(sentence);
    const { glyph, name: words } = MARKS[mark];
    return button(glyph, () => this.#toggleDetails(sentence.key), {
      class: `mark mark-${mark}`, label: `${name}: ${words}; details`, "aria-expanded": String(this.openKey === sentence.key),
    });
  }

  #listen(text, section, key) {
    text.addEventListener("focus", () => this.room.selectSentence(key, "editor"));
    text.addEventListener("input", () => {
      this.room.edit((draft) => draft.setText(key, text.textContent.replaceAll("\n", " ")));
      this.#refreshMark(key);
    });
    text.addEventListener("paste", (event) => pastePlain(event));
    text.addEventListener("drop", (event) => event.preventDefault());
    text.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      if (event.key === "Enter") {
        event.preventDefault();
        this.#insert(section.name, key);
      } else if (event.key === "Backspace" && text.textContent === "") {
        event.preventDefault();
        this.#remove(key);
      } else if (event.key === "Escape") {
        event.preventDefault();
        this.body.focus();
      }
    });
  }

  #bodyKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" && event.key.toLowerCase() !== "y") return;
    event.preventDefault();
    if (event.key.toLowerCase() === "y" || event.shiftKey) this.#redo();
    else this.#undo();
  }

  #details(sentence) {
    const mark = MARKS[markOf(sentence)];
    const former = sentence.proposed_text;
    const restore = !former || former === sentence.text || this.room.isLocked ? null
      : button("Take the former wording", () => this.#restore(sentence.key, former), { class: "quiet small" });
    return el("div", { class: "sentence-details small" },
      el("p", {}, el("strong", {}, mark.name), " — ", mark.note),
      sentence.reason ? el("p", {}, `Why: ${sentence.reason}`) : null,
      former && former !== sentence.text ? el("p", {}, "The machine proposed: ", el("q", {}, former)) : null,
      sentence.finding_ids.length ? el("p", { class: "row" }, "Stands on: ", chips(this.room, sentence.finding_ids)) : null,
      restore);
  }

  #toggleDetails(key) {
    const before = this.openKey;
    this.openKey = before === key ? null : key;
    for (const changedKey of [before, key]) this.#redrawRow(changedKey);
    this.room.selectSentence(key, "editor");
    this.rows.get(key)?.querySelector(".mark").focus();
  }

  #redrawRow(key) {
    const row = this.rows.get(key);
    const place = this.room.draft.find(key ?? "");
    if (row && place) row.replaceWith(this.#row(place[0], place[0].sentences[place[1]], place[1]));
  }

  #refreshMark(key) {
    const sentence = this.room.draft.sentence(key);
    const mark = this.rows.get(key)?.querySelector(".mark");
    if (!sentence || !mark) return;
    mark.className = `mark mark-${markOf(sentence)}`;
    mark.textContent = MARKS[markOf(sentence)].glyph;
  }

  #restore(key, text) {
    this.room.edit((draft) => draft.setText(key, text));
    this.#redrawRow(key);
  }

  #insert(sectionName, afterKey) {
    this.unfolded.add(sectionName);
    const key = this.room.edit((draft) => draft.insert(sectionName, afterKey));
    this.#draw();
    this.rows.get(key)?.querySelector(".text").focus();
  }

  #remove(key) {
    const previous = this.room.edit((draft) => draft.remove(key));
    this.#draw();
    const text = this.rows.get(previous)?.querySelector(".text");
    if (!text) return this.body.focus();
    text.focus();
    getSelection().selectAllChildren(text);
    getSelection().collapseToEnd();
    return undefined;
  }

  #undo() {
    this.room.edit((draft) => draft.undo());
    this.#draw();
  }

  #redo() {
    this.room.edit((draft) => draft.redo());
    this.#draw();
  }

  /** Light the sentences that stand on a finding, and show the first. */
  #light(findingId, from) {
    this.#lightAll(findingId === null ? [] : this.room.sentencesOf(findingId), from);
  }

  #lightLevel(level) {
    const ids = this.room.report.findings.filter((finding) => finding.level === level).map((finding) => finding.id);
    this.#lightAll(this.room.draft.sections.filter((section) => section.name !== "technique").flatMap((section) => section.sentences)
      .filter((sentence) => sentence.finding_ids.some((id) => ids.includes(id))), "viewer");
  }

  #lightAll(sentences, from) {
    const lit = new Set(sentences.map((sentence) => sentence.key));
    for (const [key, row] of this.rows) row.classList.toggle("lit", lit.has(key));
    if (from === "editor" || from === "redraw") return;
    const first = [...this.rows].find(([key, row]) => lit.has(key) && !row.hidden) ?? [...this.rows].find(([key]) => lit.has(key));
    if (first && this.body.offsetParent !== null) this.#reveal(first[0], "center");
  }

  #mark(key, from) {
    for (const [other, row] of this.rows) row.classList.toggle("selected", other === key);
    if (from !== "editor" && this.rows.has(key)) this.#reveal(key, "center");
  }

  #state() {
    const { draft, isLocked, waiting } = this.room;
    const changes = draft.changes();
    const words = waiting > 0 ? "Saving…" : changes > 0 ? `${changes} unsaved` : isLocked ? "Read only" : "Saved";
    this.status.textContent = words;
    this.status.classList.toggle("unsaved", changes > 0 && waiting === 0);
    this.undoButton.disabled = isLocked || !draft.canUndo;
    this.redoButton.disabled = isLocked || !draft.canRedo;
    this.saveButton.disabled = isLocked || changes === 0 || waiting > 0;
  }

  #legend() {
    return el("details", { class: "legend small" }, el("summary", {}, "What the marks mean"),
      el("ul", { class: "plain" }, Object.entries(MARKS).map(([key, mark]) => el("li", {},
        el("span", { class: `mark mark-${key}`, "aria-hidden": "true" }, mark.glyph), ` ${mark.note}`))));
  }
}

/** Put in what is pasted as one line of plain text. */
function pastePlain(event) {
  event.preventDefault();
  const text = (event.clipboardData?.getData("text/plain") ?? "").replace(/\s+/g, " ");
  const selection = getSelection();
  if (!selection.rangeCount) return;
  selection.deleteFromDocument();
  const node = document.createTextNode(text);
  selection.getRangeAt(0).insertNode(node);
  selection.collapse(node, text.length);
  event.target.closest("[contenteditable]").dispatchEvent(new Event("input", { bubbles: true }));
}

function supportsPlainText() {
  try {
    document.createElement("div").contentEditable = "plaintext-only";
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}
