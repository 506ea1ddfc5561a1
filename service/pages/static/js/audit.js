// The audit log, newest first, and whether its chain of hashes holds.
import { api } from "./api.js";
import { el, timeOf } from "./dom.js";
import { cell, pagedTable } from "./paged.js";

const SHORT = 110;

/** Details in words; long ones (a signature names all decisions and models) unfold. */
function told(details) {
  const text = Object.entries(details).map(([name, value]) =>
    `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`).join("; ");
  if (text.length <= SHORT) return text;
  return el("details", {}, el("summary", {}, `${text.slice(0, SHORT)}…`), text);
}

function row(entry) {
  return el("tr", {},
    cell(String(entry.seq), "number"), cell(timeOf(entry.at)), cell(entry.actor), cell(el("code", {}, entry.action)),
    cell(entry.subject, "hash"), cell(told(entry.details), "details-cell"),
    cell(el("span", { class: "hash", title: entry.hash }, entry.hash.slice(0, 10))));
}

pagedTable({
  path: "/audit",
  body: document.getElementById("lines"),
  row,
  count: (total) => `${total} ${total === 1 ? "line" : "lines"}`,
  toParams: (values) => ({ ...values, since: values.since ? new Date(values.since).toISOString() : "" }),
});

const chain = document.getElementById("chain");
const button = document.getElementById("verify");
button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const state = await api.get("/audit/verify");
    chain.className = state.intact ? "notice ok" : "notice danger";
    chain.textContent = state.intact ? `The chain holds: ${state.message}` : `The chain is broken: ${state.message}`;
  } catch (error) {
    chain.className = "notice danger";
    chain.textContent = `The chain could not be verified: ${error.message}`;
  }
  chain.hidden = false;
  button.disabled = false;
});
