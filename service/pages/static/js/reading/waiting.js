// What is shown while a study is not read yet, or could not be read; a finished one opens itself.

import { button, el, fill } from "./dom.js";
import { percent, statusWords } from "./words.js";

const WAITING = new Set(["queued", "reading"]);

/** Whether the study is still on its way. */
export const isWaiting = (study) => WAITING.has(study.status);

/**
 * Show how far a study is.
 *
 * @param {HTMLElement} container
 * @param {Object} api
 * @param {Object} study
 * @param {Function} opened Called when the reading has ended, whichever way.
 */
export function showWaiting(container, api, study, opened) {
  const words = el("p", { role: "status" }, told(study.job ?? {}, study.status));
  const bar = el("progress", { max: 1, value: study.job?.fraction ?? 0, "aria-label": "Progress of the reading" });
  const cancel = button("Cancel the reading", async () => {
    cancel.disabled = true;
    try {
      await api.post(`/studies/${study.id}/cancel`);
    } catch (error) {
      words.textContent = error.message;
      cancel.disabled = false;
    }
  }, { class: "quiet" });
  fill(container, el("section", { class: "panel narrow waiting" }, el("h1", {}, study.label || "Study without a label"), words, bar,
    el("p", { class: "muted small" }, "The study opens here by itself once it is read. You can leave this page meanwhile."),
    el("div", { class: "actions" }, el("a", { href: "/worklist", class: "button quiet" }, "To the worklist"), cancel)));
  const stop = api.events(`/studies/${study.id}/events`, {
    progress: (event) => {
      bar.value = event.fraction ?? 0;
      words.textContent = told(event, event.status);
    },
    done: () => opened(),
    error: () => { words.textContent = "The connection was lost; the reading goes on. Reload the page to see how far it is."; },
  });
  window.addEventListener("pagehide", stop, { once: true });
}

function told(job, status) {
  if (job.queue_position > 0) return `Waiting: ${job.queue_position} in the queue before it.`;
  const message = job.message || job.stage || statusWords(status);
  return `${message} ${percent(job.fraction ?? 0)}`;
}

/** Show why a study has no report, and how to try again. */
export function showFailed(container, api, study, opened) {
  const words = el("p", { class: "error-words", role: "alert" });
  const retry = button("Try again", async () => {
    retry.disabled = true;
    try {
      await api.post(`/studies/${study.id}/retry`);
      opened();
    } catch (error) {
      words.textContent = error.message;
      retry.disabled = false;
    }
  });
  fill(container, el("section", { class: "panel narrow" }, el("h1", {}, study.label || "Study without a label"),
    el("p", {}, el("span", { class: "chip danger" }, statusWords(study.status))),
    el("p", {}, study.error?.message ?? "There is no report of this study."), words,
    el("div", { class: "actions" }, el("a", { href: "/worklist", class: "button quiet" }, "To the worklist"),
      study.status === "refused" ? null : retry)));
}
