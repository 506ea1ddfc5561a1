// Stored numbers to grey by a 16 bit lookup table.

/** Table of 65,536 RGBA pixels: stored number (as uint16) -> grey. `window`: {centre, width, inverted}. */
export function greyTable(scale, window) {
  const table = new Uint32Array(65536);
  const width = Math.max(window.width, 1e-6);
  const low = window.centre - width / 2;
  for (let index = 0; index < 65536; index += 1) {
    const stored = index < 32768 ? index : index - 65536;
    const part = (stored * scale.slope + scale.intercept - low) / width;
    const grey = Math.round(255 * Math.min(1, Math.max(0, window.inverted ? 1 - part : part)));
    table[index] = (255 << 24) | (grey << 16) | (grey << 8) | grey;
  }
  return table;
}

/** Paint a slice (Uint16Array of stored numbers) on a canvas of its own size. */
export function paintSlice(canvas, stored, columns, rows, table) {
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let index = 0; index < stored.length; index += 1) pixels[index] = table[stored[index]];
  context.putImageData(image, 0, 0);
}

/** Window that leaves out the darkest 1 % and the brightest 0.5 % of a slice. */
export function autoWindow(stored, scale) {
  const counts = new Uint32Array(65536);
  for (let index = 0; index < stored.length; index += 1) counts[stored[index] ^ 0x8000] += 1;
  const at = (share) => {
    let sum = 0;
    for (let index = 0; index < 65536; index += 1) {
      sum += counts[index];
      if (sum >= share * stored.length) return (index - 32768) * scale.slope + scale.intercept;
    }
    return 32767 * scale.slope + scale.intercept;
  };
  const low = at(0.01);
  const high = Math.max(at(0.995), low + Math.abs(scale.slope));
  return { centre: (low + high) / 2, width: high - low };
}

/** Windows offered by name, made from the series' own; MR has no fixed units. */
export const PRESETS = [
  { id: "own", words: "As acquired", of: (own) => own },
  { id: "hard", words: "High contrast", of: (own) => ({ centre: own.centre, width: own.width * 0.6 }) },
  { id: "soft", words: "Low contrast", of: (own) => ({ centre: own.centre * 1.1, width: own.width * 1.6 }) },
  { id: "bright", words: "Dark tissue", of: (own) => ({ centre: own.centre * 0.55, width: own.width * 0.6 }) },
  { id: "fluid", words: "Fluid", of: (own) => ({ centre: own.centre * 1.5, width: own.width * 0.9 }) },
];
