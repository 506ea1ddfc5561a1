// Outlines of a label map: closed lines round each structure, smoothed, as paths in pixels of the slice with the
// corner of the first pixel at (0, 0).

/** Map label -> Path2D of a label slice (Uint16Array, rows x columns). */
export function contours(labels, columns, rows) {
  const paths = new Map();
  for (const [label, edges] of borderEdges(labels, columns, rows)) {
    const path = new Path2D();
    for (const loop of loopsOf(edges, columns + 1)) addLoop(path, smooth(loop));
    paths.set(label, path);
  }
  return paths;
}

/** Map label -> (corner -> next corners), clockwise round the label. */
function borderEdges(labels, columns, rows) {
  const found = new Map();
  const wide = columns + 1;
  const put = (label, from, to) => {
    let edges = found.get(label);
    if (!edges) found.set(label, (edges = new Map()));
    const there = edges.get(from);
    if (there) there.push(to);
    else edges.set(from, [to]);
  };
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < columns; x += 1) {
      const label = labels[y * columns + x];
      if (label === 0) continue;
      const corner = y * wide + x;
      if (y === 0 || labels[(y - 1) * columns + x] !== label) put(label, corner, corner + 1);
      if (x === columns - 1 || labels[y * columns + x + 1] !== label) put(label, corner + 1, corner + 1 + wide);
      if (y === rows - 1 || labels[(y + 1) * columns + x] !== label) put(label, corner + 1 + wide, corner + wide);
      if (x === 0 || labels[y * columns + x - 1] !== label) put(label, corner + wide, corner);
    }
  }
  return found;
}

function* loopsOf(edges, wide) {
  while (edges.size > 0) {
    const start = edges.keys().next().value;
    const loop = [];
    let corner = start;
    do {
      loop.push([corner % wide, Math.floor(corner / wide)]);
      const next = edges.get(corner);
      const to = next.pop();
      if (next.length === 0) edges.delete(corner);
      corner = to;
    } while (corner !== start && edges.has(corner));
    yield loop;
  }
}

/** Take the stairs out of a closed line: the middles of its edges, then twice the weighted mean of neighbours. */
function smooth(loop) {
  const count = loop.length;
  let points = loop.map((point, i) => {
    const next = loop[(i + 1) % count];
    return [(point[0] + next[0]) / 2, (point[1] + next[1]) / 2];
  });
  for (let pass = 0; pass < 2; pass += 1) {
    const old = points;
    points = old.map((point, i) => {
      const before = old[(i + count - 1) % count];
      const after = old[(i + 1) % count];
      return [(before[0] + 2 * point[0] + after[0]) / 4, (before[1] + 2 * point[1] + after[1]) / 4];
    });
  }
  return points;
}

function addLoop(path, points) {
  points.forEach(([x, y], i) => (i === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
  path.closePath();
}
