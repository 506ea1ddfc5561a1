// Several models on one study: which readings there are, two drafts side by side, and a reading with another model.

import { timeOf } from "../dom.js";
import { button, el, fill } from "./dom.js";
import { createNumbering } from "./numbering.js";
import { percent, sectionTitle } from "./words.js";

const WRITERS = [["composer", "Composer: fixed rules, no language model"], ["spine-tiny", "spine-tiny: our language model"]];

/** Build the panel; `links`: {openReading(id)}. */
export function createModels(container, room, links) {
  const list = el("div", { class: "readings" });
  const numbering = el("div", {});
  const sides = el("div", { class: "sides" });
  const progress = el("p", { class: "small muted", role: "status" });
  const body = el("div", { class: "scroll padded", tabindex: "0", role: "region", "aria-label": "Readings of this study" },
    list, numbering, progress, sides);
  fill(container, body);
  const start = (options) => readAgain(room, options, body, progress);
  const draw = () => {
    drawList(list, room, links, start);
    drawChooser(sides, room);
  };
  room.on("study", draw);
  room.on("report", () => drawList(list, room, links, start));
  createNumbering(numbering, room, start);
  draw();
}

function drawList(list, room, links, start) {
  const { study } = room;
  const writer = el("select", { id: "writer" }, WRITERS.map(([value, words]) => el("option", { value }, words)));
  fill(list, el("h3", {}, "Readings"),
    el("ul", { class: "plain" }, (study.readings ?? []).map((reading) => item(room, links, reading))),
    room.actor.role !== "radiologist" ? null : el("div", { class: "row another" }, el("label", { for: "writer" }, "Another model"), writer,
      button("Read with this model", () => start({ writer: writer.value }), { class: "quiet start" })));
}

function item(room, links, reading) {
  const name = reading.writer || "default";
  const isBase = reading.id === room.report.reading_id;
  const base = async () => {
    if (await room.baseUpon(reading.id)) await links.openReading(reading.id);
  };
  return el("li", { class: "row" },
    el("strong", {}, name), el("span", { class: "muted small" }, timeOf(reading.created_at)),
    isBase ? el("span", { class: "chip accent" }, "the report is based on it") : null,
    button("Show its images", () => links.openReading(reading.id), { class: "quiet small", label: `Show the images of the reading by ${name}` }),
    isBase || room.actor.role !== "radiologist" ? null : button("Base the report on it", base, {
      class: "quiet small base", disabled: !room.isUntouched,
      title: room.isUntouched ? "The report begins anew from this draft" : "The report was worked on already; it stays with its reading",
    }));
}

async function readAgain(room, options, body, progress) {
  const starts = body.querySelectorAll("button.start");
  for (const start of starts) start.disabled = true;
  const end = async () => {
    for (const start of body.querySelectorAll("button.start")) start.disabled = false;
    await finished(room, progress);
  };
  try {
    await room.api.post(`${room.path}/readings`, options);
    progress.textContent = "Waiting for a worker…";
    room.api.events(`${room.path}/events`, {
      progress: (told) => {
        progress.textContent = told.state === "queued" ? "Waiting for a worker…" : `${told.message || told.stage || "Reading"} ${percent(told.fraction ?? 0)}`;
      },
      done: end,
      error: end,
    });
  } catch (error) {
    progress.textContent = error.message;
    for (const start of starts) start.disabled = false;
  }
}

async function finished(room, progress) {
  progress.textContent = "";
  const before = room.study.readings.length;
  try {
    await room.refresh();
    const isNew = room.study.readings.length > before;
    room.notice(isNew ? "Read again: compare the drafts, and choose which one the report is based on." : "The reading ended without a new draft.", isNew ? "ok" : "warn");
  } catch (error) {
    progress.textContent = error.message;
  }
}

function drawChooser(sides, room) {
  const list = room.study.readings ?? [];
  if (list.length < 2) {
    fill(sides, el("p", { class: "muted" }, "There is one reading. Read the study with another model to see both drafts side by side."));
    return;
  }
  const choose = (label, index) => {
    const select = el("select", { "aria-label": label }, list.map((item) => el("option", { value: item.id }, `${item.writer || "default"}`)));
    select.value = list[index].id;
    select.addEventListener("change", show);
    return select;
  };
  const left = choose("Left draft", 0);
  const right = choose("Right draft", list.length - 1);
  const out = el("div", { class: "side-by-side" });
  fill(sides, el("h3", {}, "Drafts side by side"), el("div", { class: "row" }, left, el("span", { "aria-hidden": "true" }, "and"), right), out);
  show();

  async function show() {
    try {
      const [one, two] = await Promise.all([left.value, right.value].map((id) => room.api.get(`/readings/${id}`)));
      fill(out, table(one.report.sections, two.report.sections, [left, right].map((select) => select.selectedOptions[0].textContent)));
    } catch (error) {
      fill(out, el("p", { class: "notice" }, error.message));
    }
  }
}

function table(one, two, names) {
  const sections = [...new Set([...one, ...two].map((section) => section.name))];
  return el("table", { class: "drafts" },
    el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))),
    sections.map((name) => el("tbody", {},
      el("tr", {}, el("th", { colspan: "2", scope: "rowgroup" }, sectionTitle(name))),
      pairs(sentencesOf(one, name), sentencesOf(two, name)).map(([left, right]) => el("tr", { class: left?.text === right?.text ? "same" : "differs" },
        el("td", {}, left?.text ?? "—"), el("td", {}, right?.text ?? "—"))))));
}

const sentencesOf = (sections, name) => sections.find((section) => section.name === name)?.sentences ?? [];

/** Pair the sentences of two drafts: the same words first, else those that share most findings. */
function pairs(one, two) {
  const left = new Set(two);
  const partner = (sentence) => {
    const same = [...left].find((other) => other.text === sentence.text);
    if (same) return same;
    const shared = (other) => other.finding_ids.filter((id) => sentence.finding_ids.includes(id)).length;
    const best = [...left].reduce((held, other) => (shared(other) > (held ? shared(held) : 0) ? other : held), null);
    return best && !one.some((other) => other !== sentence && other.text === best.text) ? best : null;
  };
  const rows = one.map((sentence) => {
    const other = partner(sentence);
    if (other) left.delete(other);
    return [sentence, other ?? null];
  });
  return [...rows, ...[...left].map((sentence) => [null, sentence])];
}
