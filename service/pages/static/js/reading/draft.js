/**
 * The reader's own copy of the report until it is saved: text changes, new and deleted sentences, undo.
 *
 * A sentence keeps the server's id as its key; new ones have keys "new-1", ... and are sent without an id.
 * A copy lies in sessionStorage until the server has it: a closed tab or a lost connection loses nothing.
 */

const HISTORY = 200;
const BURST_MS = 1200;

export class Draft {
  /** @param {Object} report The server's Report. @param {Storage} storage Where the unsaved copy lies. */
  constructor(report, storage) {
    this.storage = storage;
    this.count = 0;
    this.rebase(report);
  }

  /** Take a state of the server as the new ground; local edits are dropped. */
  rebase(report) {
    this.base = report;
    this.sections = report.sections.map((section) => ({
      name: section.name,
      sentences: section.sentences.map((sentence) => ({ ...sentence, key: sentence.id })),
    }));
    this.past = [];
    this.future = [];
    this.forgetCopy();
  }

  get name() { return `spinescribe.draft.${this.base.study_id}`; }

  get isDirty() { return this.changes() > 0; }

  get canUndo() { return this.past.length > 0; }

  get canRedo() { return this.future.length > 0; }

  /** Return how many sentences differ from the server's. */
  changes() {
    let count = 0;
    for (const section of this.base.sections) {
      const own = this.section(section.name)?.sentences ?? [];
      const texts = new Map(own.map((sentence) => [sentence.key, sentence.text]));
      for (const sentence of section.sentences) if (texts.get(sentence.id) !== sentence.text) count += 1;
      count += own.filter((sentence) => sentence.id === null && sentence.text.trim() !== "").length;
    }
    return count;
  }

  section(name) { return this.sections.find((section) => section.name === name); }

  /** Return [section, index] of a sentence, or null. */
  find(key) {
    for (const section of this.sections) {
      const index = section.sentences.findIndex((sentence) => sentence.key === key);
      if (index >= 0) return [section, index];
    }
    return null;
  }

  sentence(key) {
    const place = this.find(key);
    return place ? place[0].sentences[place[1]] : null;
  }

  /** Change the words of a sentence; keys typed in one go are one step of undo. */
  setText(key, text) {
    const sentence = this.sentence(key);
    if (!sentence || sentence.text === text) return;
    this.#remember(`text ${key}`);
    sentence.text = text;
    sentence.isEdited = this.#savedText(key) !== text;
    this.keepCopy();
  }

  /** Add a sentence after another (key null: at the end of the section) and return its key. */
  insert(sectionName, afterKey, text = "") {
    this.#remember("insert");
    const section = this.section(sectionName);
    const key = `new-${++this.count}`;
    const index = section.sentences.findIndex((sentence) => sentence.key === afterKey);
    const sentence = newSentence(key, text);
    section.sentences.splice(index < 0 ? section.sentences.length : index + 1, 0, sentence);
    this.keepCopy();
    return key;
  }

  /** Delete a sentence and return the key of the one before it in its section, or null. */
  remove(key) {
    const place = this.find(key);
    if (!place) return null;
    this.#remember("remove");
    const [section, index] = place;
    section.sentences.splice(index, 1);
    this.keepCopy();
    return section.sentences[Math.max(0, index - 1)]?.key ?? null;
  }

  undo() { this.#step(this.past, this.future); }

  redo() { this.#step(this.future, this.past); }

  /** Return the body of PUT /studies/{id}/report; a sentence without words is left out. */
  body() {
    return {
      version: this.base.version,
      sections: this.sections.map((section) => ({
        name: section.name,
        sentences: section.sentences
          .filter((sentence) => sentence.text.trim() !== "")
          .map((sentence) => ({ id: sentence.id, text: sentence.text.trim() })),
      })),
    };
  }

  /** Return the keys of the sentences that body() holds, by section. */
  sentKeys() {
    return this.sections.map((section) => section.sentences.filter((item) => item.text.trim() !== "").map((item) => item.key));
  }

  /** Take the server's answer to a save as the new ground; what was typed since it was sent stays unsaved. */
  accept(report, sentKeys) {
    const ids = new Map();
    report.sections.forEach((section, index) => {
      const keys = sentKeys[index] ?? [];
      if (keys.length === section.sentences.length) keys.forEach((key, at) => ids.set(key, section.sentences[at].id));
    });
    const typed = this.sections.map(({ name, sentences }) => ({
      name, sentences: sentences.map(({ key, id, text }) => ({ id: ids.get(key) ?? id, text })),
    }));
    const past = this.past;
    this.rebase(report);
    if (JSON.stringify(spoken(typed)) !== JSON.stringify(spoken(report.sections))) this.replace(typed);
    this.past = past;
  }

  /** Keep the unsaved copy, or drop it when nothing is unsaved. */
  keepCopy() {
    if (!this.isDirty) return this.forgetCopy();
    const copy = { base: texts(this.base.sections), version: this.base.version, mine: texts(this.sections) };
    this.storage.setItem(this.name, JSON.stringify(copy));
  }

  forgetCopy() { this.storage.removeItem(this.name); }

  /** Put other sections in place of these as one step of undo: [{name, sentences: [{id, text}]}]. */
  replace(sections) {
    this.#remember("replace");
    const known = new Map(this.base.sections.flatMap((section) => section.sentences).map((item) => [item.id, item]));
    this.sections = sections.map((section) => ({
      name: section.name,
      sentences: section.sentences.map(({ id, text }) => {
        const saved = known.get(id);
        return saved ? { ...saved, key: id, text, isEdited: saved.text !== text } : newSentence(`new-${++this.count}`, text);
      }),
    }));
    this.keepCopy();
  }

  #savedText(key) {
    for (const section of this.base.sections) {
      const found = section.sentences.find((sentence) => sentence.id === key);
      if (found) return found.text;
    }
    return null;
  }

  #remember(what) {
    const now = Date.now();
    const last = this.past.at(-1);
    const goesOn = last && last.what === what && what.startsWith("text") && now - last.at < BURST_MS;
    if (goesOn) last.at = now;
    else this.past.push({ what, at: now, sections: structuredClone(this.sections) });
    if (this.past.length > HISTORY) this.past.shift();
    this.future = [];
  }

  #step(from, to) {
    const state = from.pop();
    if (!state) return;
    to.push({ what: "", at: 0, sections: this.sections });
    this.sections = state.sections;
    this.keepCopy();
  }
}

/** Return the unsaved copy of a study's report, or null; an unreadable one is dropped. */
export function storedCopy(storage, studyId) {
  const name = `spinescribe.draft.${studyId}`;
  try {
    return JSON.parse(storage.getItem(name));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    storage.removeItem(name);
    return null;
  }
}

/** Return the words of each section, without sentences that have none. */
function spoken(sections) {
  return sections.map(({ name, sentences }) => [name, sentences.map(({ text }) => text.trim().replace(/\s+/g, " ")).filter((text) => text !== "")]);
}

function texts(sections) {
  return sections.map(({ name, sentences }) => ({ name, sentences: sentences.map(({ id, text }) => ({ id, text })) }));
}

function newSentence(key, text) {
  return {
    key, id: null, text, proposed_text: null, finding_ids: [], source: "human", status: "human", origin: "human",
    places: [], reason: null,
  };
}
