// What lies where on a slice: boxes of findings grouped by place, lines, levels.

const NEAR_PX = 6;

/** Boxes of a slice, findings with the same place together, positive ones first: [{box, rows, level, isPositive}]. */
export function boxesOn(series, k) {
  const groups = new Map();
  for (const row of series.boxes) {
    if (row.slice !== k) continue;
    const key = row.box_px.join();
    if (!groups.has(key)) groups.set(key, { box: row.box_px, level: row.level, rows: [] });
    groups.get(key).rows.push(row);
  }
  for (const group of groups.values()) {
    group.rows.sort((a, b) => Number(b.is_positive) - Number(a.is_positive));
    group.isPositive = group.rows[0].is_positive;
  }
  return [...groups.values()];
}

/** The box at a point: of the level under the pointer before others, then the one whose middle is nearest. */
export function boxAt(boxes, x, y, level) {
  const inside = boxes.filter(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
  const distance = ({ box }) => Math.hypot((box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y);
  const rank = (item) => distance(item) + (level && item.level !== level ? 1e4 : 0) + (item.isPositive ? 0 : 1e5);
  return inside.sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** The measured line within a few screen pixels of a screen point, or null. */
export function lineAt(rows, layout, screenX, screenY) {
  let best = null;
  let least = NEAR_PX;
  for (const row of rows) {
    const [a, b] = row.line_px.map((point) => layout.place(...point));
    const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
    const part = ((screenX - a[0]) * dx + (screenY - a[1]) * dy) / (dx * dx + dy * dy || 1);
    const near = Math.min(1, Math.max(0, part));
    const away = Math.hypot(a[0] + near * dx - screenX, a[1] + near * dy - screenY);
    if (away < least) [best, least] = [row, away];
  }
  return best;
}

/** Label at a pixel of a label slice, 0 outside. */
export function labelAt(labels, series, x, y) {
  const [column, row] = [Math.round(x), Math.round(y)];
  if (!labels || column < 0 || row < 0 || column >= series.columns || row >= series.rows) return 0;
  return labels[row * series.columns + column];
}

/** Names of the patient's directions. */
export const DIRECTIONS = {
  A: "anterior", P: "posterior", R: "patient right", L: "patient left", H: "head", F: "feet",
};

/** "Sagittal T2" of a series. */
export function seriesWords(series) {
  const parts = [series.plane, series.sequence].filter((part) => part && part !== "unknown");
  const words = parts.map((part) => (/^(t1|t2|stir)$/.test(part) ? part.toUpperCase() : part)).join(" ");
  return words ? words[0].toUpperCase() + words.slice(1) : "Series";
}
