/**
 * The state of the reading room: the study, its report, the reader's draft, what is selected; and every change of
 * them that goes to the server. Parts of the screen listen to its events and call its methods; they do not know
 * each other.
 *
 * Events: "report" (a new state from the server; detail {changed: Set of sentence keys}), "draft" (local edits),
 * "finding" and "sentence" (what is selected; detail {id, from}), "level" (picked in the images; detail {level}),
 * "notice" (words for the reader; detail {words, kind}), "conflict" (detail {theirs}), "saving" (detail {isSaving}),
 * "hidden" (grades hidden or shown), "images" (those of a reading are open), "study".
 */

import { Draft, storedCopy } from "./draft.js";

export class Room extends EventTarget {
  /**
   * @param {Object} api The API client.
   * @param {Object} study The Study as the API tells it.
   * @param {Object} report The Report of the study.
   * @param {Object} actor {name, role}.
   */
  constructor(api, study, report, actor) {
    super();
    this.api = api;
    this.study = study;
    this.report = report;
    this.actor = actor;
    /** Text that an earlier visit left unsaved, or null. */
    this.restorable = storedCopy(sessionStorage, study.id);
    this.draft = new Draft(report, sessionStorage);
    this.findingId = null;
    this.sentenceKey = null;
    this.isHidden = false;
    /** What the viewer shows of the reading whose images are open. */
    this.manifest = null;
    this.queue = Promise.resolve();
    this.waiting = 0;
  }

  get path() { return `/studies/${this.study.id}`; }

  /** Whether the report is closed to this reader: signed, or theirs to see only. */
  get isLocked() { return !(this.report.may_edit ?? (this.report.status !== "signed" && this.actor.role === "radiologist")); }

  emit(name, detail = {}) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  on(name, handler) { this.addEventListener(name, (event) => handler(event.detail)); }

  notice(words, kind = "info") { this.emit("notice", { words, kind }); }

  finding(id) { return this.report.findings.find((finding) => finding.id === id) ?? null; }

  /** Return the sentences, as edited, that stand on a finding. */
  sentencesOf(findingId) {
    return this.draft.sections.flatMap((section) => section.sentences)
      .filter((sentence) => sentence.finding_ids.includes(findingId));
  }

  selectFinding(id, from) {
    this.findingId = id;
    this.emit("finding", { id, from });
  }

  selectSentence(key, from) {
    this.sentenceKey = key;
    this.emit("sentence", { id: key, from });
  }

  hide(isHidden) {
    this.isHidden = isHidden;
    this.emit("hidden", { isHidden });
  }

  /** Change the local draft by `change(draft)` and tell it. */
  edit(change) {
    if (this.isLocked) return undefined;
    const result = change(this.draft);
    this.emit("draft");
    return result;
  }

  /** Save local edits; returns true when nothing is unsaved afterwards. */
  async save() {
    if (!this.draft.isDirty) return true;
    return this.#change(() => this.#put());
  }

  decide(findingId, verdict, { grade = null, note = "" } = {}) {
    return this.#changeSaved((version) =>
      this.api.post(`${this.path}/decisions`, { version, finding_id: findingId, verdict, grade, note }));
  }

  /** Accept several findings in one step. */
  acceptAll(findingIds) {
    return this.#changeSaved((version) =>
      this.api.post(`${this.path}/decisions`, { version, finding_ids: findingIds, verdict: "accept" }));
  }

  undecide(findingId) {
    return this.#changeSaved((version) =>
      this.api.del(`${this.path}/decisions/${encodeURIComponent(findingId)}?version=${version}`));
  }

  acknowledge(findingId) {
    return this.#changeSaved((version) =>
      this.api.post(`${this.path}/acknowledgements`, { version, finding_id: findingId }));
  }

  /** Whether nobody has begun to work on the report. */
  get isUntouched() {
    const { status, findings, sections } = this.report;
    return status === "draft" && !this.draft.isDirty && !findings.some((finding) => finding.decision || finding.acknowledged)
      && sections.every((section) => section.sentences.every((sentence) => sentence.origin === "machine"));
  }

  /** Base the report upon another reading of the study. */
  async baseUpon(readingId) {
    const isDone = await this.#changeSaved((version) => this.api.post(`${this.path}/report/reading`, { version, reading_id: readingId }));
    if (isDone) await this.refresh();
    return isDone;
  }

  review() { return this.#changeSaved((version) => this.api.post(`${this.path}/review`, { version })); }

  sign(password) {
    return this.#changeSaved((version) => this.api.post(`${this.path}/sign`, { version, password }));
  }

  amend(reason) { return this.#changeSaved((version) => this.api.post(`${this.path}/amend`, { version, reason })); }

  /** Save sections merged upon the server's state `theirs`. */
  async saveMerged(theirs, sections) {
    this.draft.rebase(theirs);
    this.draft.replace(sections);
    this.#take(theirs, { keepDraft: true });
    return this.save();
  }

  /** Read study and report anew, for what changed outside this page. */
  async refresh() {
    this.study = await this.api.get(this.path);
    this.emit("study");
    if (!this.draft.isDirty) this.#take(await this.api.get(`${this.path}/report`));
  }

  async #put() {
    const keys = this.draft.sentKeys();
    try {
      const report = await this.api.put(`${this.path}/report`, this.draft.body());
      this.draft.accept(report, keys);
      this.#take(report, { keepDraft: true });
    } catch (error) {
      if (error.status !== 409) throw error;
      const theirs = await this.api.get(`${this.path}/report`);
      this.emit("conflict", { theirs });
      return false;
    }
    return true;
  }

  /** Save local edits, then make one change; another's change meanwhile is shown and nothing is overwritten. */
  #changeSaved(request) {
    return this.#change(async () => {
      if (this.draft.isDirty && !(await this.#put())) return false;
      try {
        this.#take(await request(this.report.version));
        return true;
      } catch (error) {
        if (error.status !== 409) throw error;
        await this.#outdated(error);
        return false;
      }
    });
  }

  async #outdated(error) {
    const fresh = await this.api.get(`${this.path}/report`);
    const isOutdated = fresh.version !== this.report.version;
    if (isOutdated) this.#take(fresh);
    this.notice(isOutdated
      ? "Another reader changed this report meanwhile; the new state is shown. Your last step was not done: look, and repeat it."
      : error.message, "warn");
  }

  /** Run changes one after the other, so that each names the version that the one before left. */
  #change(work) {
    const run = async () => {
      try {
        return await work();
      } catch (error) {
        this.notice(error.message || "The service did not answer; nothing was changed.", "danger");
        return false;
      } finally {
        this.waiting -= 1;
        this.emit("saving", { isSaving: this.waiting > 0 });
      }
    };
    this.waiting += 1;
    this.emit("saving", { isSaving: true });
    this.queue = this.queue.then(run);
    return this.queue;
  }

  /** Take a state of the server; sentences that read differently now are told as changed. */
  #take(report, { keepDraft = false } = {}) {
    const before = new Set(this.report.sections.flatMap((section) => section.sentences).map((item) => item.text));
    const written = new Set(this.draft.sections.flatMap((section) => section.sentences).map((item) => item.text.trim()));
    this.report = report;
    if (!keepDraft) this.draft.rebase(report);
    const changed = report.sections.flatMap((section) => section.sentences)
      .filter((item) => !before.has(item.text) && !written.has(item.text)).map((item) => item.id);
    this.emit("report", { changed: new Set(changed) });
  }
}
