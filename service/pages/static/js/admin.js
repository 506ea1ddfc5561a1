// Users and groups. Users are switched off, never deleted: reports and the audit log name them.
import { api } from "./api.js";
import { confirmed, el, sentence, toast, words } from "./dom.js";

const byId = (id) => document.getElementById(id);
const dialog = byId("user-dialog");
const form = byId("user-form");
const told = form.querySelector(".error-words");
let users = [];
let groups = [];
let edited = null;

async function load() {
  try {
    [users, groups] = await Promise.all([api.get("/users"), api.get("/groups")]);
    byId("list-error").hidden = true;
  } catch (error) {
    byId("list-error").hidden = false;
    byId("list-error").textContent = error.message;
    return;
  }
  byId("users").replaceChildren(...users.map(userRow));
  byId("groups").replaceChildren(...(groups.length > 0 ? groups.map(groupRow) : [emptyRow("No groups yet.", 3)]));
}

const emptyRow = (text, span) => el("tr", {}, el("td", { colspan: String(span), class: "muted" }, text));

function userRow(user) {
  return el("tr", { dataset: { user: user.id } },
    el("td", {}, el("strong", {}, user.name)),
    el("td", {}, user.display_name),
    el("td", {}, words(user.role)),
    el("td", {}, user.groups.map((group) => group.name).join(", ") || el("span", { class: "muted" }, "–")),
    el("td", {}, el("span", { class: `chip ${user.is_active ? "ok" : "warn"}` }, user.is_active ? "Active" : "Switched off")),
    el("td", {}, el("button", { type: "button", class: "quiet", "aria-label": `Change ${user.name}`, onclick: () => open(user) }, "Change")));
}

function groupRow(group) {
  const members = users.filter((user) => user.groups.some((other) => other.id === group.id)).map((user) => user.name);
  return el("tr", {},
    el("td", {}, el("strong", {}, group.name)),
    el("td", {}, members.join(", ") || el("span", { class: "muted" }, "nobody")),
    el("td", {}, el("button", { type: "button", class: "danger", "aria-label": `Delete group ${group.name}`, onclick: () => removeGroup(group) }, "Delete")));
}

function open(user) {
  edited = user;
  form.reset();
  told.textContent = "";
  byId("user-title").textContent = user ? `Change ${user.name}` : "Add a user";
  byId("name-field").hidden = Boolean(user);
  byId("active-field").hidden = !user;
  byId("password-label").textContent = user ? "New password (empty: unchanged)" : "Password";
  form.elements.display_name.value = user?.display_name ?? "";
  form.elements.role.value = user?.role ?? "radiologist";
  form.elements.is_active.checked = user?.is_active ?? true;
  const own = new Set((user?.groups ?? []).map((group) => group.id));
  const boxes = groups.map((group) => el("label", {},
    el("input", { type: "checkbox", name: "group", value: group.id, checked: own.has(group.id) }), group.name));
  byId("user-groups").replaceChildren(el("legend", {}, "Groups"),
    ...(boxes.length > 0 ? boxes : [el("p", { class: "muted small" }, "There are no groups yet.")]));
  dialog.showModal();
}

function given() {
  const body = {
    display_name: form.elements.display_name.value.trim(),
    role: form.elements.role.value,
    groups: [...form.querySelectorAll("input[name=group]:checked")].map((box) => box.value),
  };
  if (form.elements.password.value) body.password = form.elements.password.value;
  if (edited) body.is_active = form.elements.is_active.checked;
  else body.name = form.elements.name.value.trim();
  return body;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  told.textContent = "";
  const body = given();
  const name = edited?.name ?? body.name;
  try {
    if (edited) await api.patch(`/users/${edited.id}`, body);
    else await api.post("/users", body);
  } catch (error) {
    told.textContent = sentence(error.message);
    return;
  }
  dialog.close();
  toast(edited ? `${name} was changed.` : `${name} was added.`, "ok");
  load();
});

async function removeGroup(group) {
  const sure = await confirmed({
    title: `Delete the group ${group.name}?`,
    words: "Its studies stay with their owners; its members no longer see each other's.",
    action: "Delete group",
  });
  if (!sure) return;
  try {
    await api.del(`/groups/${group.id}`);
    toast(`The group ${group.name} was deleted.`, "ok");
  } catch (error) {
    toast(sentence(error.message), "danger");
  }
  load();
}

byId("group-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = byId("group-name");
  const complaint = byId("group-form").querySelector(".error-words");
  complaint.textContent = "";
  try {
    await api.post("/groups", { name: field.value.trim() });
    field.value = "";
  } catch (error) {
    complaint.textContent = sentence(error.message);
  }
  load();
});
byId("add-user").addEventListener("click", () => open(null));
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
load();
