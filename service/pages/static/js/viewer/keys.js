// Keys of a pane, while it has the focus; W and space are held while the pointer drags over the viewer. The letters
// keep clear of those of the reading room (A, E, G, J, K, O, R, S).

/** Key -> what it does, for the list of shortcuts too. */
export const KEYS = [
  ["↑ ↓", "previous, next slice"],
  ["PgUp PgDn", "previous, next level"],
  ["Home End", "first, last slice"],
  ["+ −", "zoom in, out"],
  ["0", "fit"],
  ["Q", "window by the slice"],
  ["X", "window as acquired"],
  ["I", "invert grey"],
  ["W + drag", "window"],
  ["Space + drag", "pan"],
];

/** Act on a key of a pane; true where it meant something. */
export function actOnKey(key, pane, acts) {
  const step = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (step) acts.scroll(pane, step);
  else if (key === "PageUp" || key === "PageDown") acts.nextLevel(pane, key === "PageDown" ? 1 : -1);
  else if (key === "Home") acts.scrollTo(pane, 0);
  else if (key === "End") acts.scrollTo(pane, pane.series.slices - 1);
  else if (key === "+" || key === "=") pane.zoomBy(1.25);
  else if (key === "-") pane.zoomBy(0.8);
  else if (key === "0") pane.setView(1, 0, 0);
  else if (key === "q") pane.setAutoWindow();
  else if (key === "x") pane.resetWindow();
  else if (key === "i") pane.setWindow({ ...pane.window, inverted: !pane.window.inverted });
  else return false;
  return true;
}

/** Watch W and space while the pointer is over an element. Returns {held(), end()}: "window", "pan" or null. */
export function watchHeldKeys(element) {
  let held = null;
  let isOver = false;
  const isWriting = (target) => Boolean(target.closest?.("input:not([type=range]), textarea, select, [contenteditable]"));
  const over = () => (isOver = true);
  const out = () => ([isOver, held] = [false, null]);
  const down = (event) => {
    if (!isOver || isWriting(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.code === "KeyW") held = "window";
    else if (event.code === "Space" && !event.target.closest?.("button")) {
      held = "pan";
      event.preventDefault(); // the page would scroll
    }
  };
  const up = (event) => {
    if (event.code === "KeyW" || event.code === "Space") held = null;
  };
  element.addEventListener("pointerenter", over);
  element.addEventListener("pointerleave", out);
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  return {
    held: () => held,
    end: () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
    },
  };
}
