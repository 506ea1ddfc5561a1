// One file of the upload dialog: its label, its progress, and what became of it.
import { api } from "../api.js";
import { el, sentence } from "../dom.js";
import { countdown } from "../waiting.js";

const PICTURE = /\.(png|jpe?g|tiff?)$/i;
const MIB = 2 ** 20;

/** Whether a file name is that of a picture, which says nothing of its pixel spacing. */
export const isPicture = (name) => PICTURE.test(name);

function sizeOf(bytes) {
  return bytes < MIB ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / MIB).toFixed(1)} MB`;
}

/** States: chosen, sending, accepted, refused (may be sent again), waiting (the queue is full), unfit. */
export class UploadItem {
  constructor(file, maxBytes, dialog) {
    this.file = file;
    this.dialog = dialog;
    this.state = "chosen";
    this.build();
    if (file.size > maxBytes) this.become("unfit", `Larger than the ${sizeOf(maxBytes)} this service accepts.`);
    else if (file.size === 0) this.become("unfit", "The file is empty.");
  }

  build() {
    const name = this.file.name;
    this.input = el("input", { type: "text", maxlength: "200", placeholder: "Label (optional)", "aria-label": `Label of ${name}; do not type a patient's name` });
    this.bar = el("progress", { value: 0, max: 1, "aria-label": `Upload of ${name}`, hidden: true });
    this.words = el("p", { class: "small item-words", "aria-live": "polite" }, "Do not type a patient's name.");
    this.again = el("button", { type: "button", class: "quiet small", hidden: true, onclick: () => this.dialog.sendOne(this) }, "Send again");
    this.drop = el("button", { type: "button", class: "quiet small", "aria-label": `Remove ${name}`, onclick: () => this.leave() }, "Remove");
    this.node = el("li", { class: "upload-item" },
      el("div", { class: "item-name" }, el("span", {}, name), el("span", { class: "muted small" }, ` ${sizeOf(this.file.size)}`)),
      this.input, el("div", { class: "item-actions" }, this.again, this.drop), this.bar, this.words);
  }

  get label() {
    return this.input.value.trim();
  }

  get canSend() {
    return this.state === "chosen" || this.state === "refused";
  }

  become(state, words) {
    this.state = state;
    this.node.dataset.state = state;
    this.words.textContent = words;
    this.bar.hidden = state !== "sending";
    this.input.disabled = state === "sending" || state === "accepted";
    this.again.hidden = state !== "refused" && state !== "waiting";
    this.again.disabled = state === "waiting";
    this.drop.textContent = state === "sending" ? "Stop" : "Remove";
    this.drop.hidden = state === "accepted";
  }

  /** Send the file; returns whether it was accepted. */
  async send() {
    this.ending = new AbortController();
    this.become("sending", "Sending");
    const told = (fraction) => {
      this.bar.value = fraction;
      this.words.textContent = fraction < 1 ? `Sending ${Math.round(100 * fraction)} %` : "Sent; the server looks at it";
    };
    try {
      await api.upload("/studies", this.dialog.formOf(this), told, this.ending.signal);
      this.become("accepted", "Accepted");
      return true;
    } catch (error) {
      this.refused(error);
      return false;
    }
  }

  refused(error) {
    if (error.name === "AbortError") this.become("refused", "Stopped; nothing was kept.");
    else if (error.status === 429) this.wait(error);
    else this.become("refused", sentence(error.message));
  }

  /** The queue is full: the button to send again comes free when the server said. */
  wait(error) {
    countdown(error.retryAfter ?? 30, (left) => {
      if (left > 0) this.become("waiting", `${sentence(error.message)} Wait ${left} s, then send again.`);
      else this.become("refused", "The time is over: send it again.");
      this.dialog.show();
    });
  }

  leave() {
    if (this.state === "sending") this.ending.abort();
    else this.dialog.remove(this);
  }
}
