// Small pieces of the reading room beside those every page uses. Every word is set as text, never read as HTML.

import { el as element } from "../dom.js";

/** An element as of ../dom.js; children may be lists within lists. */
export function el(tag, attributes = {}, ...children) {
  return element(tag, attributes, ...children.flat(4));
}

/** Put new children into an element in place of those it has. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

/** A button; `label` is its accessible name where its words are too short for one. */
export function button(words, action, { label = null, ...attributes } = {}) {
  return el("button", { type: "button", "aria-label": label, title: label, ...attributes, onclick: action }, words);
}

/** Whether keys typed now are text: single-key shortcuts stay out of it. */
export function isTyping(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  return target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=range])");
}

/** Open a modal dialog made of `content`; resolves with its return value ("" when closed without an answer). */
export function openDialog(title, content, attributes = {}) {
  openDialog.count += 1;
  const heading = el("h2", { id: `dialog-${openDialog.count}` }, title);
  const close = el("button", { type: "button", class: "icon quiet", "aria-label": "Close" }, "×");
  const dialog = el("dialog", { "aria-labelledby": heading.id, ...attributes },
    el("div", { class: "dialog-head" }, heading, close), content);
  close.addEventListener("click", () => dialog.close(""));
  document.body.append(dialog);
  dialog.showModal();
  (content.querySelector("input:not([type=radio]), textarea") ?? content.querySelector("button:not(.quiet, .danger)") ?? close).focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue);
      dialog.remove();
    }, { once: true });
  });
}
openDialog.count = 0;

/** Bring an element into view within its scroller, without motion where the reader asked for none. */
export function reveal(target, block = "nearest") {
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  target.scrollIntoView({ block, inline: "nearest", behavior: isStill ? "auto" : "smooth" });
}
