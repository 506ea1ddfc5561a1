// Level chips: the name of each level as a button, behind the disc where the slices show several, else as a strip.

import { make } from "./make.js";

const GAP_PX = 23;
const BEHIND_PX = 42;
const EDGE_PX = 26;

/** Buttons of the levels of the pane's series, placed. `onpick(level)` is called with the level. */
export function chips(pane, layout, onpick) {
  const { levels } = pane.series;
  const isStrip = pane.series.plane === "axial" || new Set(levels.map((level) => level.slice)).size > levels.length / 2 + 1;
  const nodes = levels.map((level) => chip(pane, level, onpick));
  if (isStrip) {
    nodes.forEach((node, i) => {
      node.classList.add("sv-chip-strip");
      node.style.left = "8px";
      node.style.top = `${30 + i * GAP_PX}px`;
    });
    return nodes;
  }
  let below = -Infinity;
  const placed = levels.map((level, i) => ({ node: nodes[i], ...besideDisc(level, layout) })).sort((a, b) => a.y - b.y);
  for (const item of placed) {
    item.top = Math.max(item.y, below + GAP_PX);
    below = item.top;
    item.node.style.left = `${item.x}px`;
    item.node.style.top = `${item.top}px`;
    item.node.hidden = item.y < 12 || item.top > layout.height - 12 || item.x < 0 || item.x > layout.width;
  }
  return nodes;
}

function besideDisc(level, layout) {
  const centre = layout.place(...level.centre_px);
  const margin = layout.place(...level.posterior_px);
  const isPlain = centre[0] === margin[0] && centre[1] === margin[1];
  const towards = margin[0] >= centre[0] ? 1 : -1;
  const length = Math.hypot(margin[0] - centre[0], margin[1] - centre[1]);
  const away = isPlain ? 0 : towards * Math.max(BEHIND_PX, 1.5 * length);
  const x = Math.min(Math.max(margin[0] + away, EDGE_PX), layout.width - EDGE_PX - 20);
  return { x, y: margin[1] };
}

function chip(pane, level, onpick) {
  const isHere = level.slice === pane.slice;
  const isChosen = pane.shared.chosenLevel === level.name;
  const doubt = level.doubt ? `; name in doubt: ${level.doubt}` : "";
  const node = make("button", {
    type: "button",
    class: `sv-chip${level.doubt ? " sv-chip-doubt" : ""}${isHere ? "" : " sv-chip-away"}`,
    "aria-pressed": String(isChosen),
    "aria-label": `Level ${level.name}, slice ${level.slice + 1}, confidence ${Math.round(level.confidence * 100)} %${doubt}`,
    title: `${level.name}: confidence ${Math.round(level.confidence * 100)} %${doubt}`,
    onclick: () => onpick(level),
  }, level.doubt ? `${level.name}?` : level.name);
  node.dataset.svLevel = level.name;
  return node;
}
