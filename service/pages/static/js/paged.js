// A table asked page by page, with its filters in the address: history and the audit log.
import { api } from "./api.js";
import { el } from "./dom.js";

const SIZE = 50;
const byId = (id) => document.getElementById(id);

/**
 * Show a list. `path` is asked with the filters, limit and offset and answers {items, total}; `row(item)` makes a
 * table row; `toParams(values)` may change the filters before they are sent. Returns a function that asks again.
 */
export function pagedTable({ path, body, row, count, toParams = (values) => values }) {
  const form = byId("filters");
  let offset = 0;

  const values = () => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]));

  function restore() {
    const given = new URLSearchParams(location.search);
    for (const field of form.elements) if (field.name) field.value = given.get(field.name) ?? "";
    offset = Math.max(0, Number.parseInt(given.get("offset") ?? "0", 10) || 0);
  }

  function remember() {
    const kept = new URLSearchParams(Object.entries(values()).filter(([, value]) => value !== ""));
    if (offset > 0) kept.set("offset", offset);
    history.replaceState(null, "", location.pathname + (kept.size > 0 ? `?${kept}` : ""));
  }

  async function refresh() {
    remember();
    try {
      const page = await api.get(path, { ...toParams(values()), limit: SIZE, offset });
      show(page);
    } catch (error) {
      byId("list-error").hidden = false;
      byId("list-error").textContent = error.message;
    }
  }

  function show({ items, total }) {
    byId("list-error").hidden = true;
    body.replaceChildren(...items.map(row));
    body.closest(".table-wrap").hidden = items.length === 0;
    byId("empty").hidden = items.length > 0;
    byId("total").textContent = count(total);
    byId("range").textContent = items.length > 0 ? `${offset + 1} to ${offset + items.length} of ${total}` : "";
    byId("previous").disabled = offset === 0;
    byId("next").disabled = offset + items.length >= total;
  }

  const again = () => {
    offset = 0;
    refresh();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    again();
  });
  form.addEventListener("change", again);
  form.addEventListener("reset", () => setTimeout(again));
  byId("previous").addEventListener("click", () => {
    offset = Math.max(0, offset - SIZE);
    refresh();
  });
  byId("next").addEventListener("click", () => {
    offset += SIZE;
    refresh();
  });
  restore();
  refresh();
  return refresh;
}

/** A cell. */
export const cell = (content, name = null) => el("td", { class: name }, content);
