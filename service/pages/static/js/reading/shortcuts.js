// Keys of the reading room, and the dialog that tells them. Single keys can be switched off; they never act while
// text is typed.

import { el, isTyping, openDialog } from "./dom.js";

const KEPT = "spinescribe.reading.keys";

/** Keys by the action they call: [key, words]. */
const KEYS = [
  ["next", "j", "Next finding"], ["previous", "k", "Previous finding"], ["accept", "a", "Accept the finding"],
  ["edit", "e", "Edit its grade (then 1, 2, 3, …)"], ["reject", "r", "Reject it"], ["save", "s", "Save the report (Ctrl+S also while writing)"],
  ["saliency", "g", "Grad-CAM on or off"], ["overlay", "o", "Overlay on or off"], ["sliceBack", "[", "Previous slice"],
  ["sliceOn", "]", "Next slice"], ["help", "?", "This list"],
];
const OTHERS = [
  ["Enter", "In a sentence: a new one after it"], ["Backspace", "In an empty sentence: delete it"],
  ["Ctrl+Z", "Undo in the report; Ctrl+Shift+Z does it again"], ["Esc", "Leave a sentence or a choice"],
];

/**
 * Listen for keys; `actions` has a function for each name above, and number(n), escape(). A key of the room means the
 * same wherever the focus is, in the images too: it is taken before they see it.
 */
export function listenForKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      actions.save();
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (event.key === "Escape") {
      actions.escape();
      return;
    }
    if (!areKeysOn() && event.key !== "?") return;
    const isNumber = /^[1-9]$/.test(event.key) && actions.number(Number(event.key));
    const action = KEYS.find(([, key]) => key === event.key)?.[0];
    if (!isNumber && !action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!isNumber) actions[action]();
  }, { capture: true });
}

const areKeysOn = () => localStorage.getItem(KEPT) !== "off";

/** Tell all keys; here they are switched off too. */
export function showKeys() {
  const rows = [...KEYS.map(([, key, words]) => [key, words]), ...OTHERS];
  const toggle = el("input", { type: "checkbox", checked: areKeysOn(), onchange: () => localStorage.setItem(KEPT, toggle.checked ? "on" : "off") });
  return openDialog("Keyboard", el("div", {},
    el("dl", { class: "keys" }, rows.map(([key, words]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, words)])),
    el("label", { class: "row" }, toggle, "Single keys are on")), { class: "small-dialog" });
}
