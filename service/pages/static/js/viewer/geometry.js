// Where a point of a slice lies on the screen and back, and where slices of different series meet.
// A point (x, y) is in pixels of the original slice, pixel centres at whole numbers; the screen is in CSS pixels.

/** How a slice is laid on a stage: square millimetres where the spacing is known. `view`: {zoom, panX, panY}. */
export function layOut(series, width, height, view) {
  const columnSize = series.column_mm ?? 1;
  const rowSize = series.row_mm ?? 1;
  const fit = Math.min(width / (series.columns * columnSize), height / (series.rows * rowSize));
  const scaleX = fit * view.zoom * columnSize;
  const scaleY = fit * view.zoom * rowSize;
  const left = width / 2 + view.panX - (series.columns * scaleX) / 2;
  const top = height / 2 + view.panY - (series.rows * scaleY) / 2;
  return {
    scaleX, scaleY, left, top, width, height,
    place: (x, y) => [left + (x + 0.5) * scaleX, top + (y + 0.5) * scaleY],
    pixel: (screenX, screenY) => [(screenX - left) / scaleX - 0.5, (screenY - top) / scaleY - 0.5],
  };
}

const add = (a, b) => a.map((value, i) => value + b[i]);
const times = (a, factor) => a.map((value) => value * factor);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const axis = (affine, number) => [affine[0][number], affine[1][number], affine[2][number]];
const unit = (a) => times(a, 1 / Math.hypot(...a));

/** World point (RAS+ mm) of a pixel of slice k. */
export function worldOf(series, x, y, k) {
  const a = series.affine;
  return add(add(axis(a, 3), times(axis(a, 0), x)), add(times(axis(a, 1), y), times(axis(a, 2), k)));
}

const centreOf = (series, k) => worldOf(series, (series.columns - 1) / 2, (series.rows - 1) / 2, k);
const normalOf = (series) => unit(cross(axis(series.affine, 0), axis(series.affine, 1)));

/** Slice of `other` at the place of slice k of `series`; null where geometry is unknown or planes differ. */
export function sliceBeside(series, k, other) {
  if (!series.affine || !other.affine) return null;
  if (Math.abs(dot(normalOf(series), normalOf(other))) < 0.9) return null;
  return nearestSlice(centreOf(series, k), other);
}

/** Slice of `other`, of another plane, in which a pixel of slice k of `series` lies; null where it lies in none. */
export function sliceThrough(series, [x, y], k, other) {
  if (!series.affine || !other.affine || sliceBeside(series, k, other) !== null) return null;
  const found = nearestSlice(worldOf(series, x, y, k), other, 1);
  return found >= 0 && found < other.slices ? found : null;
}

function nearestSlice(point, other, beyond = 0) {
  const normal = normalOf(other);
  const step = dot(axis(other.affine, 2), normal);
  if (other.slices === 1 || Math.abs(step) < 1e-6) return 0;
  const away = dot(add(point, times(axis(other.affine, 3), -1)), normal);
  return Math.min(other.slices - 1 + beyond, Math.max(-beyond, Math.round(away / step)));
}

/** Ends [[x, y], [x, y]] of the line in which slice k of `series` cuts slice j of `other`; null where it does not. */
export function cutLine(series, k, other, j) {
  if (!series.affine || !other.affine) return null;
  const normal = normalOf(series);
  if (Math.abs(dot(normal, normalOf(other))) > 0.8) return null;
  const offset = dot(normal, add(worldOf(other, 0, 0, j), times(centreOf(series, k), -1)));
  const perColumn = dot(normal, axis(other.affine, 0));
  const perRow = dot(normal, axis(other.affine, 1));
  const right = other.columns - 1;
  const bottom = other.rows - 1;
  const points = [];
  for (const x of [0, right]) {
    const y = -(offset + perColumn * x) / perRow;
    if (Math.abs(perRow) > 1e-9 && y >= 0 && y <= bottom) points.push([x, y]);
  }
  for (const y of [0, bottom]) {
    const x = -(offset + perRow * y) / perColumn;
    if (Math.abs(perColumn) > 1e-9 && x >= 0 && x <= right) points.push([x, y]);
  }
  if (points.length < 2) return null;
  const far = points.find((point) => Math.hypot(point[0] - points[0][0], point[1] - points[0][1]) > 1);
  return far ? [points[0], far] : null;
}

/** A round length in mm, and its length on the screen, for a scale bar; null without spacing. */
export function scaleBar(series, layout) {
  if (!series.column_mm) return null;
  const perMm = layout.scaleX / series.column_mm;
  const most = Math.min(160, layout.width * 0.3);
  const length = [200, 100, 50, 20, 10, 5, 2, 1].find((mm) => mm * perMm <= most) ?? 1;
  return { mm: length, px: length * perMm };
}
