// Level chips: the name of each level as a button, behind the disc where the slices show several, else as a strip.

import { make } from "./make.js";

const GAP_PX = 23;
const BEHIND_PX = 42;
const EDGE_PX = 26;
const STRIP_TOP_PX = 44;

/** Buttons of the levels of a series, in its order. `onpick(level)` is called with the level. */
export function makeChips(series, onpick) {
  const places = new Set(series.levels.map((level) => level.slice));
  const isStrip = series.plane === "axial" || places.size > series.levels.length / 2 + 1;
  return series.levels.map((level) => {
    const sure = `confidence ${Math.round(level.confidence * 100)} %${level.doubt ? `; name in doubt: ${level.doubt}` : ""}`;
    const node = make("button", {
      type: "button",
      class: `sv-chip${level.doubt ? " sv-chip-doubt" : ""}${isStrip ? " sv-chip-strip" : ""}`,
      "aria-label": `Level ${level.name}, slice ${level.slice + 1}, ${sure}`,
      title: `${level.name}: ${sure}`,
      onclick: () => onpick(level),
    }, level.doubt ? `${level.name}?` : level.name);
    return { level, node, isStrip };
  });
}

/** Put the chips where they belong on a laid out slice. `chosen` is the name of the chosen level, or null. */
export function placeChips(chips, slice, layout, chosen) {
  const nearest = nearestLevel(chips.map((chip) => chip.level), slice);
  const gap = Math.max(GAP_PX, (chips[0]?.node.offsetHeight ?? 0) + 3);
  let below = -Infinity;
  chips.forEach(({ level, node, isStrip }, i) => {
    node.setAttribute("aria-pressed", String(level.name === chosen));
    if (isStrip) {
      node.classList.toggle("sv-chip-here", level === nearest);
      node.style.left = "8px";
      node.style.top = `${STRIP_TOP_PX + i * gap}px`;
      return;
    }
    node.classList.toggle("sv-chip-away", level.slice !== slice);
    const { x, y } = besideDisc(level, layout);
    const top = Math.max(y, below + gap);
    below = top;
    node.style.left = `${x}px`;
    node.style.top = `${top}px`;
    node.hidden = y < 10 || top > layout.height - 10;
  });
}

/** Level whose slice is nearest, null where the next one is further away than levels are apart. */
function nearestLevel(levels, slice) {
  const slices = levels.map((level) => level.slice).sort((a, b) => a - b);
  const apart = Math.min(...slices.slice(1).map((k, i) => k - slices[i]), Infinity);
  const away = (level) => Math.abs(level.slice - slice);
  const best = [...levels].sort((a, b) => away(a) - away(b))[0];
  return best && away(best) <= Math.max(1, apart / 2) ? best : null;
}

function besideDisc(level, layout) {
  const centre = layout.place(...level.centre_px);
  const margin = layout.place(...level.posterior_px);
  const isPlain = centre[0] === margin[0] && centre[1] === margin[1];
  const towards = margin[0] >= centre[0] ? 1 : -1;
  const length = Math.hypot(margin[0] - centre[0], margin[1] - centre[1]);
  const away = isPlain ? 0 : towards * Math.max(BEHIND_PX, 1.5 * length);
  return { x: Math.min(Math.max(margin[0] + away, EDGE_PX), layout.width - EDGE_PX - 20), y: margin[1] };
}
