// Buttons and events of the viewer.

import { el as make } from "../dom.js";

export { make };

/** A push button that stays in; `pressed(node, true)` sets it. */
export function toggle(text, label, title, onclick) {
  return make("button", { type: "button", class: "sv-button", "aria-label": label, "aria-pressed": "false", title, onclick }, text);
}

/** Set a button in or out. */
export function pressed(node, value) {
  node.setAttribute("aria-pressed", String(Boolean(value)));
}

/** Handlers by event name: `on` adds one and returns what takes it away. */
export class Emitter {
  constructor() {
    this.handlers = new Map();
  }

  on(event, handler) {
    if (!this.handlers.has(event)) this.handlers.set(event, new Set());
    this.handlers.get(event).add(handler);
    return () => this.handlers.get(event).delete(handler);
  }

  emit(event, data) {
    for (const handler of this.handlers.get(event) ?? []) handler(data);
  }
}
