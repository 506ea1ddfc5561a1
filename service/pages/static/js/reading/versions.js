// The history of the report: every version with who and why, and what changed between any two of them, word by word.

import { timeOf } from "../dom.js";
import { button, el, fill } from "./dom.js";
import { fullName, gradeWords, sectionTitle, statusWords, verdictWords, who } from "./words.js";

/** Version of the machine's own draft. */
const PROPOSED = 0;

/** Build the history; returns {load} to read it anew. */
export function createVersions(container, room) {
  const list = el("div", {});
  const out = el("div", { class: "diff", "aria-live": "polite" });
  const body = el("div", { class: "scroll padded", tabindex: "0", role: "region", "aria-label": "History of the report" }, list, out);
  fill(container, body);
  room.on("report", () => { if (body.offsetParent !== null) load(); });
  return { load };

  async function load() {
    try {
      const { version } = room.report;
      drawList(list, await room.api.get(`${room.path}/versions`), compare);
      await compare(PROPOSED, version);
    } catch (error) {
      fill(list, el("p", { class: "notice" }, error.message));
    }
  }

  async function compare(from, to) {
    try {
      drawDiff(out, room, await room.api.get(`${room.path}/diff`, { from, to }));
    } catch (error) {
      fill(out, el("p", { class: "notice" }, error.message));
    }
  }
}

function drawList(list, versions, compare) {
  const names = [[PROPOSED, "what the machine proposed"], ...versions.map((item) => [item.version, `version ${item.version}`]).reverse()];
  const choose = (label, value) => {
    const select = el("select", { "aria-label": label, class: "small" }, names.map(([number, words]) => el("option", { value: String(number) }, words)));
    select.value = String(value);
    return select;
  };
  const from = choose("Compare from", PROPOSED);
  const to = choose("Compare to", versions[0]?.version ?? PROPOSED);
  fill(list, el("h3", {}, "Versions"),
    el("ol", { class: "plain versions" }, versions.map((item) => el("li", {},
      el("div", { class: "row" }, el("strong", {}, String(item.version)), el("span", { class: "chip" }, statusWords(item.status)),
        el("span", { class: "grow" }, item.what)),
      el("div", { class: "row small muted" }, el("span", {}, who(item.author) || "the machine"), timeOf(item.at),
        item.version > 1 ? button("What changed", () => {
          from.value = String(item.version - 1);
          to.value = String(item.version);
          compare(item.version - 1, item.version);
        }, { class: "link", label: `What changed in version ${item.version}` }) : null)))),
    el("h3", {}, "What differs"),
    el("div", { class: "row between" }, from, el("span", {}, "and"), to, button("Compare", () => compare(from.value, to.value), { class: "quiet small" })));
}

function drawDiff(out, room, diff) {
  const changed = diff.sections.filter((section) => section.words.some((word) => word.op !== "equal"));
  fill(out, changed.length || diff.decisions.length ? null : el("p", { class: "muted" }, "Nothing differs."),
    changed.map((section) => el("section", {}, el("h4", {}, sectionTitle(section.name)),
      el("p", { class: "diff-text" }, section.words.map(word)))),
    diff.decisions.length ? el("section", {}, el("h4", {}, "Decisions"),
      el("ul", { class: "plain small" }, diff.decisions.map((item) => decision(room, item)))) : null);
}

function word({ op, text }) {
  if (op === "delete") return el("del", {}, text);
  if (op === "insert") return el("ins", {}, text);
  return shortened(text);
}

/** What stayed the same, with the middle of a long part left out. */
function shortened(text) {
  const lines = text.split("\n");
  return lines.length > 5 ? [...lines.slice(0, 2), "⋯", ...lines.slice(-2)].join("\n") : text;
}

function decision(room, { finding_id: id, before, after }) {
  const finding = room.finding(id);
  const told = (item) => (item === null ? "undecided"
    : `${verdictWords(item.verdict)}${item.grade ? ` to ${finding ? gradeWords(finding, item.grade) : item.grade}` : ""}`);
  return el("li", {}, `${finding ? fullName(finding) : id}: ${before === null ? "" : `${told(before)}, then `}${told(after)}`);
}
