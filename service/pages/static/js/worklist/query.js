// The worklist's question, kept in the address: order, filters, search and page can be bookmarked and gone back to.

export const PAGE_SIZE = 25;
const FIELDS = ["order", "status", "report", "protocol", "level", "condition", "grade", "search", "mine"];

/** Read the address: {order, status, ..., offset}; absent fields are "". */
export function readQuery(search = location.search) {
  const given = new URLSearchParams(search);
  const query = Object.fromEntries(FIELDS.map((name) => [name, given.get(name) ?? ""]));
  const offset = Number.parseInt(given.get("offset") ?? "0", 10);
  query.offset = Number.isFinite(offset) && offset > 0 ? offset : 0;
  return query;
}

/** Write the address; `isStep` makes it a step that the back button undoes. */
export function writeQuery(query, isStep = true) {
  const kept = new URLSearchParams();
  for (const name of FIELDS) if (query[name]) kept.set(name, query[name]);
  if (query.offset) kept.set("offset", query.offset);
  const text = kept.toString();
  const address = location.pathname + (text ? `?${text}` : "");
  if (isStep) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** What the API is asked. */
export function toParams(query) {
  return { ...query, order: query.order || "urgency", limit: PAGE_SIZE, offset: query.offset };
}

/** Whether anything but the order narrows the list. */
export function isNarrowed(query) {
  return FIELDS.some((name) => name !== "order" && query[name] !== "");
}

/** Show the query in the form. A value the form does not offer is left out of the query. */
export function fillForm(form, query) {
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (field.type === "checkbox") field.checked = query[name] === "true";
    else field.value = query[name];
    if (field.tagName === "SELECT" && field.selectedIndex < 0) {
      field.value = "";
      query[name] = "";
    }
  }
}

/** The form's query, on the first page. */
export function formQuery(form) {
  const query = { offset: 0 };
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (field.type === "checkbox") query[name] = field.checked ? "true" : "";
    else query[name] = field.value.trim();
  }
  return query;
}
