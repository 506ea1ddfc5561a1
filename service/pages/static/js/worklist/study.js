// One study's facts: rename it, share it, delete it.
import { api } from "../api.js";
import { confirmed, el, moment, sentence, toast, words } from "../dom.js";
import { fillGroups } from "./groups.js";
import { nameOf } from "./rows.js";

/** The dialog of a study; `changed()` is called after each change. */
export class StudyDialog {
  constructor(dialog, changed) {
    this.dialog = dialog;
    this.changed = changed;
    this.form = dialog.querySelector("form");
    this.told = dialog.querySelector("#study-error");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    dialog.querySelector("#delete-study").addEventListener("click", () => this.remove());
    for (const button of dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => dialog.close());
    }
  }

  async open(study) {
    this.study = study;
    this.told.textContent = "";
    this.dialog.querySelector("#study-title").textContent = nameOf(study);
    this.dialog.querySelector("#study-facts").replaceChildren(...factsOf(study).flatMap(([term, text]) =>
      [el("dt", {}, term), el("dd", {}, text)]));
    this.form.elements.label.value = study.label;
    this.dialog.showModal();
    this.form.elements.label.focus();
    await fillGroups(this.form.elements.group_id, study.group);
  }

  async save() {
    const group = this.form.elements.group_id.value || null;
    await this.change(() => api.patch(`/studies/${this.study.id}`, { label: this.form.elements.label.value.trim(), group_id: group }));
  }

  async remove() {
    const sure = await confirmed({
      title: "Delete this study?",
      words: `${nameOf(this.study)}: its files, readings, report and questions go for good. The audit log keeps that it was deleted.`,
      action: "Delete study",
    });
    if (!sure) return;
    const name = nameOf(this.study);
    if (await this.change(() => api.del(`/studies/${this.study.id}`))) toast(`${name} was deleted.`, "ok");
  }

  async change(request) {
    try {
      await request();
    } catch (error) {
      this.told.textContent = sentence(error.message);
      return false;
    }
    this.dialog.close();
    this.changed();
    return true;
  }
}

function factsOf(study) {
  const facts = [
    ["Status", words(study.status)],
    ["Body region", study.protocol ? words(study.protocol) : "not known yet"],
    ["Study key", study.study_key ?? "not known yet"],
    ["Owner", study.owner.name],
    ["Uploaded", moment(study.created_at)],
    ["Finished", moment(study.finished_at) || "not yet"],
  ];
  if (study.readings.length > 0) facts.push(["Read by", study.readings.map((reading) => reading.writer || "default").join(", ")]);
  if (study.prior_study_id) facts.push(["Prior", "chosen at upload"]);
  if (study.error) facts.push(["Reason", sentence(study.error.message)]);
  return facts;
}
