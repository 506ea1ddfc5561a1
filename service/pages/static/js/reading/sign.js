// Sign-off: what still stands in the way, review, signature, amendment; the exports beside it.

import { timeOf } from "../dom.js";
import { button, el, fill, openDialog } from "./dom.js";
import { exportMenu } from "./exports.js";
import { findingName, plural, who } from "./words.js";

const SIGNING = "Your signature says that you have looked at the images yourself, decided every positive finding, and stand for "
  + "this text as the report. It is kept with your name, the time and what the machine had proposed. Afterwards the "
  + "text is closed: it changes only by an amendment with a reason.";

/** Build the bar under the panel; `links`: {finding(id), showUndecided(), alert()}. */
export function createSignBar(container, room, links) {
  const draw = () => fill(container, state(room, links), el("span", { class: "grow" }), exportMenu(room), steps(room));
  for (const name of ["report", "saving", "hidden"]) room.on(name, draw);
  draw();
}

function state(room, links) {
  const { report } = room;
  if (room.isHidden) return null;
  if (report.status === "signed") {
    return el("p", { class: "signed", id: "signed" }, el("strong", {}, "Signed"), ` by ${who(report.signed?.by)}, `, timeOf(report.signed?.at));
  }
  if (!report.blockers.length) return warnings(report) ?? el("p", { class: "muted small" }, report.status === "draft" ? "Ready to review." : "Ready to sign.");
  return el("details", { class: "blockers menu up" },
    el("summary", { class: "small" }, el("span", { class: "chip warn" }, String(report.blockers.length)), ` before signing`),
    el("div", { class: "menu-items" }, el("p", { class: "small muted" }, `${plural(report.blockers.length, "thing")} to do first; each leads there.`),
      el("ul", { class: "plain" }, report.blockers.map((words) => el("li", {}, button(words, (event) => {
        event.target.closest("details").open = false;
        follow(room, links, words);
      }, { class: "link blocker" }))))));
}

/** What does not agree but stands in nobody's way. */
function warnings(report) {
  if (!report.warnings?.length) return null;
  return el("details", { class: "menu up" }, el("summary", { class: "small" }, plural(report.warnings.length, "remark")),
    el("div", { class: "menu-items" }, el("ul", { class: "plain small" }, report.warnings.map((words) => el("li", {}, words)))));
}

/** Lead to what a blocker speaks of. */
function follow(room, links, words) {
  const finding = findingIn(room, words);
  if (/acknowledg/i.test(words)) links.alert(finding?.id ?? null);
  else if (finding) links.finding(finding.id);
  else if (/decid|positive|finding/i.test(words)) links.showUndecided();
  else links.report();
}

/** The finding that a sentence of the service names: by its id, else by level, condition and side. */
function findingIn(room, words) {
  const ids = new Set(words.match(/\b[a-z]+\d+\b/g) ?? []);
  const low = words.toLowerCase();
  return room.report.findings.find((finding) => ids.has(finding.id))
    ?? room.report.findings.filter((finding) => finding.is_positive).find((finding) =>
      (!finding.level || low.includes(finding.level.toLowerCase())) && low.includes((finding.condition_words ?? findingName(finding)).toLowerCase())
      && (!finding.side || low.includes(finding.side)));
}

function steps(room) {
  const { report } = room;
  const isBusy = room.waiting > 0;
  if (report.may_amend) return button("Amend…", () => amend(room), { class: "quiet", id: "amend", disabled: isBusy });
  if (report.status === "signed" || room.actor.role !== "radiologist") return null;
  return [
    report.status === "reviewed" ? null : button("Review", () => room.review(), { class: "quiet", id: "review", title: "Mark the report as reviewed; then it can be signed", disabled: !report.may_review || isBusy }),
    button("Sign…", () => sign(room), { id: "sign", disabled: !report.may_sign || isBusy, title: report.may_sign ? "Sign the report" : report.blockers.join("; ") }),
  ];
}

async function sign(room) {
  const password = el("input", { type: "password", id: "sign-password", autocomplete: "current-password", required: true, maxlength: "1000" });
  await ask(room, "Sign the report", [el("p", {}, SIGNING),
    el("div", { class: "field" }, el("label", { for: "sign-password" }, "Your password"), password,
      el("p", { class: "help" }, "With single sign-on: the name you sign in with."))], "Sign", () => room.sign(password.value));
}

async function amend(room) {
  const reason = el("textarea", { id: "amend-reason", required: true, maxlength: "1000", rows: "3" });
  await ask(room, "Amend the signed report", [
    el("p", {}, "The signed text stays as it is in the history. The amended report must be reviewed and signed again."),
    el("div", { class: "field" }, el("label", { for: "amend-reason" }, "Reason, shown in the report's history"), reason)],
  "Begin the amendment", () => room.amend(reason.value.trim()));
}

/** Ask in a dialog that stays until `action` went well; what the service says against it is told there. */
function ask(room, title, content, words, action) {
  const refusal = el("p", { class: "error-words", role: "alert" });
  const submit = el("button", { type: "submit" }, words);
  const form = el("form", { class: "ask-form" }, content, refusal,
    el("div", { class: "actions" }, button("Cancel", () => form.closest("dialog").close(""), { class: "quiet" }), submit));
  const tell = (event) => { refusal.textContent = event.detail.words; };
  room.addEventListener("notice", tell);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    refusal.textContent = "";
    const isDone = await action();
    submit.disabled = false;
    if (isDone) form.closest("dialog").close("done");
  });
  return openDialog(title, form, { class: "small-dialog" }).finally(() => room.removeEventListener("notice", tell));
}
