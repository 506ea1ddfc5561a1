// Questions about the study. Answers come from its findings alone and name them; a refusal is shown as one.

import { timeOf } from "../dom.js";
import { chips } from "./chips.js";
import { button, el, fill, reveal } from "./dom.js";
import { sectionTitle } from "./words.js";

const SUGGESTIONS = ["Which level is worst?", "Is there a critical finding?", "What could not be assessed?"];

/** Build the conversation; `links`: {sentence(key)}. */
export function createAsk(container, room, links) {
  const log = el("div", { class: "chat scroll", role: "log", "aria-label": "Questions and answers", tabindex: "0" });
  const question = el("textarea", { rows: "2", maxlength: "1000", id: "question", "aria-label": "Question about this study", placeholder: "Ask about this study: What is at L4-L5?" });
  const send = el("button", { type: "submit" }, "Ask");
  const form = el("form", { class: "ask" }, question, send);
  const suggestions = el("div", { class: "row suggestions" }, SUGGESTIONS.map((words) => button(words, () => put(words), { class: "quiet small" })));
  fill(container, log, suggestions, form);
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (question.value.trim()) put(question.value.trim());
  });
  const loaded = load();

  async function load() {
    try {
      const items = await room.api.get(`${room.path}/chat`);
      fill(log, items.length ? items.map((item) => exchange(room, item, links)) : el("p", { class: "empty" },
        "Ask about this study. Answers are taken from its findings and measurements only; each names what it rests on."));
      log.scrollTop = log.scrollHeight;
    } catch (error) {
      fill(log, el("p", { class: "notice" }, error.message));
    }
  }

  async function put(words) {
    send.disabled = true;
    await loaded;
    log.querySelector(".empty")?.remove();
    const waiting = el("div", { class: "exchange" }, el("p", { class: "asked" }, words), el("p", { class: "muted answer" }, "Looking…"));
    log.append(waiting);
    reveal(waiting);
    try {
      const item = await room.api.post(`${room.path}/chat`, { question: words });
      waiting.replaceWith(exchange(room, item, links));
      question.value = "";
    } catch (error) {
      waiting.lastChild.replaceWith(el("p", { class: "notice" }, error.message));
    } finally {
      send.disabled = false;
      log.scrollTop = log.scrollHeight;
    }
  }
}

function exchange(room, item, links) {
  const cited = chips(room, item.finding_ids ?? []);
  const sentences = (item.sentences ?? []).map((place) => sentenceChip(room, place, links)).filter((chip) => chip !== null);
  return el("div", { class: "exchange" },
    el("p", { class: "asked" }, item.question),
    el("div", { class: item.refused ? "answer refused" : "answer" },
      item.refused ? el("p", { class: "small" }, el("strong", {}, "Not answered")) : null,
      el("p", {}, item.answer),
      cited.length ? el("p", { class: "row small citations" }, el("span", { class: "muted" }, "Rests on"), cited) : null,
      sentences.length ? el("p", { class: "row small citations" }, el("span", { class: "muted" }, "In the report"), sentences) : null,
      el("p", { class: "muted small" }, timeOf(item.at))));
}

function sentenceChip(room, { section, index }, links) {
  const sentence = room.draft.section(section)?.sentences[index];
  if (!sentence) return null;
  return button(`${sectionTitle(section).split(" ")[0]} ${index + 1}`, () => links.sentence(sentence.key), {
    class: "chip finding-chip", label: `${sectionTitle(section)}, sentence ${index + 1}: ${sentence.text}` });
}
