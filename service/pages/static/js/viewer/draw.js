// What lies over a slice: outlines, heat, lines, boxes. All is drawn at screen resolution on the pane's canvas.

const COLOURS = { line: "#ff5a5a", box: "#ff7ad9", chosen: "#ff3cc8", hovered: "#ffffff", cut: "#ffd166", halo: "rgba(0, 0, 0, 0.75)" };

const FONT = "600 12px system-ui, sans-serif";

/** Fill and outline every structure. `layers`: {fill, outlines, opacity}. */
export function drawStructures(context, paths, structures, layout, layers) {
  const matrix = new DOMMatrix([layout.scaleX, 0, 0, layout.scaleY, layout.left, layout.top]);
  context.save();
  context.lineJoin = "round";
  context.lineWidth = 1.5;
  for (const { label, colour } of structures) {
    const own = paths.get(label);
    if (!own) continue;
    const path = new Path2D();
    path.addPath(own, matrix);
    context.fillStyle = colour;
    context.strokeStyle = colour;
    if (layers.fill) {
      context.globalAlpha = 0.4 * layers.opacity;
      context.fill(path, "evenodd");
    }
    context.globalAlpha = layers.opacity;
    context.stroke(path);
  }
  context.restore();
}

/** Lay a heat map (ImageBitmap in the slice's frame) over the slice. */
export function drawHeat(context, bitmap, layout, opacity) {
  context.save();
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, layout.left, layout.top, bitmap.width * layout.scaleX, bitmap.height * layout.scaleY);
  context.restore();
}

/** Measured lines; values where there is room, those of the chosen level and the one pointed at before others. */
export function drawMeasurements(context, rows, layout, { hovered, level }) {
  for (const row of rows) drawLine(context, row, layout, row === hovered);
  const rank = (row) => (row === hovered ? 0 : row.level === level ? 1 : row.name.startsWith("canal") ? 2 : 3);
  const taken = [];
  for (const row of [...rows].sort((a, b) => rank(a) - rank(b))) {
    if (row.value === null) continue;
    const [a, b] = row.line_px.map((point) => layout.place(...point));
    const text = valueWords(row);
    context.font = FONT;
    const box = { x: Math.max(a[0], b[0]) + 7, y: (a[1] + b[1]) / 2, width: context.measureText(text).width + 4 };
    const isFree = taken.every((other) => Math.abs(other.y - box.y) > 15 || other.x > box.x + box.width || box.x > other.x + other.width);
    if (!isFree && row !== hovered) continue;
    taken.push(box);
    writeText(context, text, box.x, box.y, row === hovered ? COLOURS.hovered : "#ffb3b3");
  }
}

/** A measured line with end ticks. */
function drawLine(context, row, layout, isHovered) {
  const [a, b] = row.line_px.map((point) => layout.place(...point));
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const across = [(-(b[1] - a[1]) / length) * 3, ((b[0] - a[0]) / length) * 3];
  const trace = () => {
    context.beginPath();
    context.moveTo(...a);
    context.lineTo(...b);
    for (const end of [a, b]) {
      context.moveTo(end[0] - across[0], end[1] - across[1]);
      context.lineTo(end[0] + across[0], end[1] + across[1]);
    }
    context.stroke();
  };
  context.save();
  context.lineCap = "round";
  context.strokeStyle = COLOURS.halo;
  context.lineWidth = 3;
  trace();
  context.strokeStyle = isHovered ? COLOURS.hovered : COLOURS.line;
  context.lineWidth = 1.25;
  trace();
  context.restore();
}

/** "12.4 mm", "0.31", "8.0 deg" of a measurement. */
export function valueWords(row) {
  if (row.value === null) return "not assessable";
  const digits = row.unit === "1" ? 2 : 1;
  return row.unit === "1" ? row.value.toFixed(digits) : `${row.value.toFixed(digits)} ${row.unit}`;
}

function writeText(context, text, x, y, colour) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.strokeStyle = COLOURS.halo;
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

/** A box: its corners, or all of it when it is chosen. `state`: "quiet", "hovered" or "chosen". */
export function drawBox(context, box, layout, state) {
  const [x0, y0] = layout.place(box[0], box[1]);
  const [x1, y1] = layout.place(box[2], box[3]);
  const path = new Path2D();
  if (state === "chosen") path.rect(x0, y0, x1 - x0, y1 - y0);
  else addCorners(path, x0, y0, x1, y1);
  context.save();
  context.strokeStyle = COLOURS.halo;
  context.lineWidth = state === "chosen" ? 5 : 4;
  context.stroke(path);
  context.strokeStyle = { quiet: COLOURS.box, hovered: COLOURS.hovered, chosen: COLOURS.chosen }[state];
  context.lineWidth = state === "chosen" ? 2.5 : 1.75;
  context.stroke(path);
  context.restore();
}

function addCorners(path, x0, y0, x1, y1) {
  const arm = Math.min(14, (x1 - x0) / 3, (y1 - y0) / 3);
  for (const [x, towardsX] of [[x0, 1], [x1, -1]]) {
    for (const [y, towardsY] of [[y0, 1], [y1, -1]]) {
      path.moveTo(x + towardsX * arm, y);
      path.lineTo(x, y);
      path.lineTo(x, y + towardsY * arm);
    }
  }
}

/** Where the slice of another pane cuts this one. */
export function drawCut(context, ends, layout) {
  context.save();
  context.strokeStyle = COLOURS.cut;
  context.globalAlpha = 0.8;
  context.lineWidth = 1.25;
  context.setLineDash([6, 5]);
  context.beginPath();
  context.moveTo(...layout.place(...ends[0]));
  context.lineTo(...layout.place(...ends[1]));
  context.stroke();
  context.restore();
}
