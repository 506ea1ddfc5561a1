// The upload dialog: several files at once, each a study, each with its own progress, label and outcome.
import { api } from "../api.js";
import { el } from "../dom.js";
import { fillGroups } from "./groups.js";
import { nameOf } from "./rows.js";
import { isPicture, UploadItem } from "./upload_item.js";

const PRIORS = 50;

/** The dialog; `accepted()` is called after each study that the server took, `finished(count)` after the last. */
export class UploadDialog {
  constructor(dialog, { accepted, finished }) {
    this.dialog = dialog;
    this.accepted = accepted;
    this.finished = finished;
    this.form = dialog.querySelector("form");
    this.list = dialog.querySelector("#upload-list");
    this.picker = dialog.querySelector("#upload-files");
    this.button = dialog.querySelector("#send-upload");
    this.maxBytes = Number(dialog.dataset.maxBytes);
    this.items = [];
    this.isSending = false;
    this.listen();
    this.listenToDrops();
  }

  listen() {
    this.picker.addEventListener("change", () => {
      this.add(this.picker.files);
      this.picker.value = "";
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    for (const button of this.dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.dialog.close());
    }
    this.dialog.addEventListener("cancel", (event) => {
      if (this.isSending) event.preventDefault();
    });
    addEventListener("beforeunload", (event) => {
      if (this.isSending) event.preventDefault();
    });
  }

  /** Files may be dropped anywhere on the page. */
  listenToDrops() {
    document.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      document.body.classList.add("dragging");
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) document.body.classList.remove("dragging");
    });
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("dragging");
      if (event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      this.open();
      this.add(event.dataTransfer.files);
    });
  }

  open() {
    if (this.dialog.open) return;
    this.items = this.items.filter((item) => item.state !== "accepted");
    this.show();
    this.dialog.showModal();
    this.fillChoices();
  }

  async fillChoices() {
    const told = this.dialog.querySelector("#upload-error");
    try {
      await fillGroups(this.form.elements.group_id);
      const page = await api.get("/studies", { status: "ready", order: "newest", limit: PRIORS });
      const options = page.items.map((study) => el("option", { value: study.id }, nameOf(study)));
      this.form.elements.prior_study_id.replaceChildren(el("option", { value: "" }, "None"), ...options);
      told.textContent = "";
    } catch (error) {
      told.textContent = `Groups and prior studies cannot be offered: ${error.message}`;
    }
  }

  add(files) {
    for (const file of files) this.items.push(new UploadItem(file, this.maxBytes, this));
    this.show();
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    this.show();
  }

  /** Bring list, spacing field and button in line with the files. */
  show() {
    for (const item of this.items) if (item.node.parentNode !== this.list) this.list.append(item.node);
    for (const node of [...this.list.children]) if (!this.items.some((item) => item.node === node)) node.remove();
    this.dialog.querySelector("#spacing-field").hidden = !this.items.some((item) => isPicture(item.file.name));
    const waiting = this.items.filter((item) => item.canSend);
    this.button.disabled = waiting.length === 0 || this.isSending;
    this.button.textContent = waiting.length > 1 ? `Send ${waiting.length} studies` : "Send";
  }

  /** The form of one file; options that are empty are left out. */
  formOf(item) {
    const data = new FormData();
    data.append("file", item.file);
    for (const name of ["protocol", "group_id", "prior_study_id"]) {
      if (this.form.elements[name].value) data.append(name, this.form.elements[name].value);
    }
    const spacing = this.form.elements.spacing.value.trim();
    if (spacing && isPicture(item.file.name)) data.append("spacing", spacing);
    if (item.label) data.append("label", item.label);
    return data;
  }

  /** Send all that wait, one after another: the server reads them one after another too. */
  async send() {
    this.isSending = true;
    let count = 0;
    for (const item of this.items.filter((waiting) => waiting.canSend)) {
      this.show();
      if (await item.send()) {
        count += 1;
        this.accepted();
      }
    }
    this.isSending = false;
    this.show();
    if (count > 0) this.finished(count);
    if (this.items.every((item) => item.state === "accepted")) this.dialog.close();
  }

  /** Send one again, on its own button. */
  async sendOne(item) {
    this.isSending = true;
    this.show();
    if (await item.send()) this.finished(1);
    this.isSending = false;
    this.show();
    if (this.items.every((other) => other.state === "accepted")) this.dialog.close();
  }
}
