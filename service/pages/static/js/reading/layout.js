// The frame of the screen: viewer and panel with a bar between them that can be dragged, and the panel's tabs.
// Both are remembered on this computer.

import { button, el, fill } from "./dom.js";

const SPLIT = "spinescribe.reading.split";
const TAB = "spinescribe.reading.tab";
const LIMITS = { least: 25, most: 75, usual: 54, usualWide: 57, usualStacked: 46 };
const WIDE_PX = 1300;

/** Let a bar share the room between viewer and panel, by pointer or arrow keys; portrait screens share the height. */
export function createSplit(frame, bar) {
  const portrait = matchMedia("(orientation: portrait) and (max-width: 1000px)");
  const name = () => `${SPLIT}.${portrait.matches ? "stacked" : "beside"}`;
  const usual = () => (portrait.matches ? LIMITS.usualStacked : innerWidth >= WIDE_PX ? LIMITS.usualWide : LIMITS.usual);
  const set = (share) => {
    const value = Math.min(LIMITS.most, Math.max(LIMITS.least, Math.round(share)));
    frame.style.setProperty("--split", `${value}%`);
    bar.setAttribute("aria-valuenow", String(value));
    return value;
  };
  const keep = (share) => localStorage.setItem(name(), String(set(share)));
  const orient = () => {
    bar.setAttribute("aria-orientation", portrait.matches ? "horizontal" : "vertical");
    set(Number(localStorage.getItem(name())) || usual());
  };
  bar.setAttribute("aria-valuemin", String(LIMITS.least));
  bar.setAttribute("aria-valuemax", String(LIMITS.most));
  bar.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const box = frame.getBoundingClientRect();
      keep(100 * (portrait.matches ? (moved.clientY - box.top) / box.height : (moved.clientX - box.left) / box.width));
    };
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), { once: true });
  });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowUp: -2, ArrowRight: 2, ArrowDown: 2 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    keep(Number(bar.getAttribute("aria-valuenow")) + by);
  });
  bar.addEventListener("dblclick", () => keep(usual()));
  portrait.addEventListener("change", orient);
  orient();
}

/**
 * Tabs in `list` with their panels in `host`.
 *
 * @param {Array} tabs [{id, words, build(panel), isEager, onShow(built)}]; a panel is built when first shown, or at
 *   once where `isEager`.
 * @returns {{show: Function, current: Function, badge: Function}}
 */
export function createTabs(list, host, tabs) {
  const built = new Map();
  let current = null;
  const heads = tabs.map((tab) => button([tab.words, el("span", { class: "badge", hidden: true })], () => show(tab.id), {
    role: "tab", id: `tab-${tab.id}`, "aria-controls": `panel-${tab.id}`, class: "tab",
  }));
  const panels = tabs.map((tab) => el("div", { role: "tabpanel", id: `panel-${tab.id}`, "aria-labelledby": `tab-${tab.id}`, class: "tabpanel", hidden: true }));
  fill(list, heads);
  host.append(...panels);
  list.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    const index = (tabs.findIndex((tab) => tab.id === current) + by + tabs.length) % tabs.length;
    show(tabs[index].id);
    heads[index].focus();
  });

  function build(index) {
    if (!built.has(tabs[index].id)) built.set(tabs[index].id, tabs[index].build(panels[index]) ?? true);
  }

  function show(id) {
    const index = tabs.findIndex((tab) => tab.id === id);
    if (index < 0) return;
    current = id;
    tabs.forEach((tab, other) => {
      heads[other].setAttribute("aria-selected", String(other === index));
      heads[other].tabIndex = other === index ? 0 : -1;
      panels[other].hidden = other !== index;
    });
    build(index);
    localStorage.setItem(TAB, id);
    host.dataset.tab = id;
    tabs[index].onShow?.(built.get(id));
  }

  return {
    show,
    current: () => current,
    start: () => {
      tabs.forEach((tab, index) => { if (tab.isEager) build(index); });
      show(tabs.some((tab) => tab.id === localStorage.getItem(TAB)) ? localStorage.getItem(TAB) : tabs[0].id);
    },
    badge: (id, count, label) => {
      const head = heads[tabs.findIndex((tab) => tab.id === id)];
      const mark = head.querySelector(".badge");
      mark.hidden = count === 0;
      fill(mark, String(count), el("span", { class: "visually-hidden" }, ` ${label}`));
    },
  };
}
