// Small pieces every page uses: elements made without HTML strings, toasts, confirmation, times in words.

/** An element: `el("p", {class: "muted", onclick: f}, "text", child)`. Text is never read as HTML. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/**
 * Say something at the edge of the page. `kind`: info, ok, warn, danger; those of danger stay until closed.
 * `action`: [words, function] of a button beside it.
 */
export function toast(words, kind = "info", action = null) {
  const box = document.getElementById("toasts");
  const close = el("button", { type: "button", class: "quiet icon", "aria-label": "Close" }, "×");
  const more = action && el("button", { type: "button", class: "quiet small", onclick: action[1] }, action[0]);
  const item = el("div", { class: `toast ${kind}` }, el("span", { class: "grow" }, words), more, close);
  close.addEventListener("click", () => item.remove());
  box.append(item);
  if (kind !== "danger") setTimeout(() => item.remove(), 6000);
  return item;
}

/** Ask before something that cannot be undone; resolves to true or false. */
export function confirmed({ title, words, action, kind = "danger" }) {
  return new Promise((resolve) => {
    const yes = el("button", { type: "submit", value: "yes", class: kind }, action);
    const dialog = el("dialog", { class: "small-dialog", "aria-labelledby": "confirm-title" },
      el("form", { method: "dialog" },
        el("h2", { id: "confirm-title" }, title), el("p", {}, words),
        el("div", { class: "actions" }, el("button", { type: "submit", value: "no", class: "quiet" }, "Keep"), yes)));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** "4 min", "3 h", "2 days" since a moment (ISO text). */
export function age(moment, now = Date.now()) {
  const seconds = Math.max(0, (now - Date.parse(moment)) / 1000);
  if (seconds < 60) return "now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  const days = Math.floor(seconds / 86400);
  return days === 1 ? "1 day" : `${days} days`;
}

/** A moment in the reader's own time, to the minute; empty for none. */
export function moment(text) {
  if (!text) return "";
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A <time> element with the moment in words. */
export function timeOf(text, words = moment(text)) {
  return text ? el("time", { datetime: text, title: moment(text) }, words) : el("span", {}, "");
}

/** A sentence of the server with its first letter upper case. */
export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** First letter upper case; underscores to spaces. */
export function words(value) {
  const plain = String(value ?? "").replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}
