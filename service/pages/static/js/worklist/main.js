// The worklist: ask, show, ask again every two seconds while something visible is being read (else every fifteen).
import { api } from "../api.js";
import { el, sentence, toast } from "../dom.js";
import { listenToKeys } from "./keys.js";
import { fillForm, formQuery, isNarrowed, PAGE_SIZE, readQuery, toParams, writeQuery } from "./query.js";
import { isActive, nameOf, Rows } from "./rows.js";
import { StudyDialog } from "./study.js";
import { UploadDialog } from "./upload.js";

const BUSY_MS = 2000;
const IDLE_MS = 15000;
const form = document.getElementById("filters");
const byId = (id) => document.getElementById(id);

let query = readQuery();
let studies = new Map();
let asked = 0;
let timer = null;

const rows = new Rows(document.querySelector("#studies tbody"), act);
const studyDialog = new StudyDialog(byId("study"), () => refresh());
const uploadDialog = new UploadDialog(byId("upload"), { accepted: () => refresh(), finished: tellAccepted });

async function refresh() {
  clearTimeout(timer);
  const turn = ++asked;
  try {
    const page = await api.get("/studies", toParams(query));
    if (turn === asked) show(page);
  } catch (error) {
    if (turn !== asked) return;
    byId("list-error").hidden = false;
    byId("list-error").textContent = `The list is not up to date: ${error.message}`;
  }
  const isBusy = [...studies.values()].some(isActive);
  timer = setTimeout(refresh, isBusy ? BUSY_MS : IDLE_MS);
}

function show(page) {
  if (page.items.length === 0 && query.offset > 0) {
    query.offset = 0;
    writeQuery(query, false);
    refresh();
    return;
  }
  byId("list-error").hidden = true;
  announce(page.items);
  studies = new Map(page.items.map((study) => [study.id, study]));
  rows.show(page.items);
  byId("table-wrap").hidden = page.items.length === 0;
  showEmpty(page.items.length === 0);
  const total = page.total === 1 ? "1 study" : `${page.total} studies`;
  if (byId("total").textContent !== total) byId("total").textContent = total;
  showPaging(page.total, page.items.length);
}

/** Say when a study that was being read here is done. */
function announce(items) {
  for (const study of items) {
    const before = studies.get(study.id);
    if (!before || before.status === study.status) continue;
    if (study.status === "ready") toast(`${nameOf(study)}: the draft is ready.`, study.is_critical ? "warn" : "ok");
    if (study.status === "failed" || study.status === "refused") {
      toast(`${nameOf(study)}: ${study.error?.message ?? "it was not read"}`, "warn");
    }
  }
}

function showEmpty(isEmpty) {
  const box = byId("empty");
  box.hidden = !isEmpty;
  if (!isEmpty) return;
  if (isNarrowed(query)) {
    const clear = el("button", { type: "button", class: "quiet", onclick: () => ask(readQuery("")) }, "Clear filters");
    box.replaceChildren(el("p", {}, "No study matches these filters."), clear);
  } else {
    const upload = el("button", { type: "button", onclick: () => uploadDialog.open() }, "Upload a study");
    box.replaceChildren(
      el("p", { class: "empty-title" }, "No studies yet"),
      el("p", {}, "Upload a spine MRI study, or read a sample study (above) to see how it goes. It takes about half a minute."),
      upload, " ", el("a", { class: "button quiet", href: "/manual" }, "Getting started"));
  }
}

function showPaging(total, count) {
  byId("paging").hidden = total === 0;
  byId("range").textContent = `${query.offset + 1} to ${query.offset + count} of ${total}`;
  document.querySelector('[data-page="previous"]').disabled = query.offset === 0;
  document.querySelector('[data-page="next"]').disabled = query.offset + count >= total;
  byId("clear-filters").hidden = !isNarrowed(query);
}

function ask(next, isStep = true) {
  query = next;
  fillForm(form, query);
  writeQuery(query, isStep);
  refresh();
}

async function act(verb, id) {
  if (verb === "details") {
    studyDialog.open(studies.get(id));
    return;
  }
  try {
    await api.post(`/studies/${id}/${verb}`);
  } catch (error) {
    toast(sentence(error.message), "danger");
  }
  refresh();
}

/** New studies wait at the end of the urgent ones: offer to show them. */
function tellAccepted(count) {
  const words = count === 1 ? "The study is accepted." : `${count} studies are accepted.`;
  toast(words, "ok", ["Show the newest", () => ask(readQuery("?order=newest"))]);
  refresh();
}

async function readSample(button) {
  byId("samples").open = false;
  button.disabled = true;
  try {
    await api.post("/studies/sample", { protocol: button.dataset.sample });
    tellAccepted(1);
  } catch (error) {
    const wait = error.status === 429 && error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    toast(`${sentence(error.message)}${wait}`, "warn");
  }
  button.disabled = false;
  refresh();
}

let typing = null;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => ask(formQuery(form), event.target.name !== "search"), event.target.name === "search" ? 250 : 0);
});
form.addEventListener("submit", (event) => event.preventDefault());
byId("clear-filters").addEventListener("click", () => ask(readQuery("")));
byId("open-upload").addEventListener("click", () => uploadDialog.open());
for (const button of document.querySelectorAll("[data-sample]")) button.addEventListener("click", () => readSample(button));
for (const button of document.querySelectorAll("[data-page]")) {
  const step = button.dataset.page === "next" ? PAGE_SIZE : -PAGE_SIZE;
  button.addEventListener("click", () => {
    ask({ ...query, offset: Math.max(0, query.offset + step) });
    scrollTo({ top: 0 });
  });
}
addEventListener("popstate", () => {
  query = readQuery();
  fillForm(form, query);
  refresh();
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refresh()));
listenToKeys({ upload: () => uploadDialog.open() });
fillForm(form, query);
refresh();
