// The dialog for two readers who changed the report at once: what the other changed, and whose words shall stand.

import { el, openDialog } from "./dom.js";
import { differences, merge } from "./merge.js";
import { sectionTitle, who } from "./words.js";

const CHOICES = [["both", "Keep both"], ["mine", "Mine"], ["theirs", "Theirs"]];

/**
 * Ask the reader and save what was chosen.
 *
 * @param {Room} room
 * @param {Object} theirs The server's Report.
 * @param {Object} copy {base, mine}: what the reader began from, and what the reader wrote.
 */
export async function resolveConflict(room, theirs, copy) {
  const items = differences(copy.base, theirs.sections, copy.mine);
  if (theirs.may_edit === false) return closedMeanwhile(room, theirs, items);
  if (!items.some((item) => item.kind !== "theirs")) return room.saveMerged(theirs, theirs.sections);
  const chosen = new Map(items.filter((item) => item.kind === "both").map((item) => [keyOf(item), "both"]));
  const other = who(theirs.updated?.by) || "another reader";
  const answer = await openDialog("This report was changed meanwhile", body(items, chosen, other), { class: "wide" });
  if (answer === "theirs") return room.saveMerged(theirs, theirs.sections);
  if (answer !== "merge") {
    room.notice("Not saved yet: your text is kept in this window. Save again to settle it.", "warn");
    return false;
  }
  return room.saveMerged(theirs, merge(copy.base, theirs.sections, copy.mine, (item) => chosen.get(keyOf(item)) ?? "both"));
}

/** The report was signed meanwhile: what the reader wrote is shown, to be copied; it is not saved. */
async function closedMeanwhile(room, theirs, items) {
  const own = items.filter((item) => item.kind !== "theirs");
  const answer = await openDialog("This report was closed meanwhile", el("form", { method: "dialog" },
    el("p", {}, "It takes no more changes. What you wrote is not in it; copy it from here for an amendment."),
    el("ul", { class: "plain" }, own.map((item) => el("li", {}, change(item, "mine")))),
    el("div", { class: "actions" }, el("button", { value: "", class: "quiet" }, "Keep it in this window"),
      el("button", { value: "drop", class: "danger" }, "Drop my changes"))), { class: "wide" });
  if (answer === "drop") await room.saveMerged(theirs, theirs.sections);
  return false;
}

const keyOf = (item) => `${item.section} ${item.id}`;

function body(items, chosen, other) {
  const both = items.filter((item) => item.kind === "both");
  const rest = items.filter((item) => item.kind !== "both");
  return el("form", { method: "dialog", class: "conflict" },
    el("p", {}, `${other} saved a newer version while you were writing. Nothing is lost: what only one of you changed is kept. `,
      both.length ? "Choose for the sentences that both of you changed." : ""),
    both.map((item) => conflictChoice(item, chosen, other)),
    rest.length ? el("h3", {}, "Kept without a question") : null,
    el("ul", { class: "plain" }, rest.map((item) => el("li", {},
      el("span", { class: "who" }, item.kind === "mine" ? "You" : other), " ", change(item, item.kind)))),
    el("div", { class: "actions" },
      el("button", { value: "", class: "quiet" }, "Not now"),
      el("button", { value: "theirs", class: "danger" }, "Drop all my changes"),
      el("button", { value: "merge" }, "Save the merged report")));
}

function conflictChoice(item, chosen, other) {
  const name = `choice-${keyOf(item)}`;
  const option = ([value, words]) => el("label", {},
    el("input", {
      type: "radio", name, value, checked: chosen.get(keyOf(item)) === value,
      onchange: () => chosen.set(keyOf(item), value),
    }), words);
  return el("fieldset", { class: "choice" },
    el("legend", {}, sectionTitle(item.section)),
    el("dl", {},
      el("dt", {}, "It was"), el("dd", { class: "quiet" }, shown(item.base)),
      el("dt", {}, other), el("dd", {}, shown(item.theirs)),
      el("dt", {}, "You"), el("dd", {}, shown(item.mine))),
    el("div", { class: "options" }, CHOICES.map(option)));
}

const shown = (text) => (text === null ? el("em", {}, "deleted") : text);

function change(item, side) {
  const after = item[side];
  if (after === null) return ["deleted: ", el("del", {}, item.base)];
  if (item.base === null) return ["added: ", el("ins", {}, after)];
  return [el("del", {}, item.base), " ", el("ins", {}, after)];
}
