// The groups a study can be shared with: one's own.
import { api } from "../api.js";
import { el } from "../dom.js";

let own = null;

/** The signed-in user's groups, asked for once. */
export async function ownGroups() {
  own ??= (await api.get("/session")).user.groups;
  return own;
}

/** Offer the groups in a select; the study's present group is offered too where it is not one's own. */
export async function fillGroups(select, present = null) {
  const groups = [...(await ownGroups())];
  if (present && !groups.some((group) => group.id === present.id)) groups.push(present);
  const options = groups.map((group) => el("option", { value: group.id }, group.name));
  select.replaceChildren(el("option", { value: "" }, "Nobody (the owner alone)"), ...options);
  select.value = present?.id ?? "";
}
