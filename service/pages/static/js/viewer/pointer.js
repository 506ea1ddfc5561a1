// What mouse, pen and fingers mean on a pane's stage.
//
// Wheel: slices; ctrl + wheel: zoom. Left drag or one finger: the chosen tool (slices, window or pan). Right drag or
// W + drag: window. Middle drag or space + drag: pan. Two fingers: pinch and pan. A click without a drag picks.

const SCROLL_PX = 14;
const CLICK_PX = 5;
const WHEEL_PX = 40;

/** Listen on a pane. `acts`: {tool(), held(), scroll(n), pick(x, y), hover(x, y), leave(), active()}. */
export function listenToPointer(pane, acts) {
  const { stage } = pane;
  const fingers = new Map();
  let drag = null;
  let wheel = 0;
  let pinch = null;

  const local = (event) => {
    const frame = stage.getBoundingClientRect();
    return { x: event.clientX - frame.left, y: event.clientY - frame.top };
  };

  const toolOf = (event) => {
    if (event.button === 2) return "window";
    if (event.button === 1) return "pan";
    return acts.held() ?? acts.tool();
  };

  const down = (event) => {
    if (event.target.closest("button, select, input")) return;
    event.preventDefault(); // no text is marked, no second scroll by the middle button
    acts.active();
    pane.element.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    const point = local(event);
    fingers.set(event.pointerId, point);
    if (fingers.size === 2) {
      drag = null;
      pinch = spread(fingers);
    } else if (fingers.size === 1) {
      drag = { tool: toolOf(event), start: point, last: point, rest: 0, isClick: event.button === 0, window: pane.window };
    }
  };

  const move = (event) => {
    const point = local(event);
    if (!fingers.has(event.pointerId)) {
      if (event.pointerType !== "touch" && !event.target.closest("button")) acts.hover(point.x, point.y);
      return;
    }
    fingers.set(event.pointerId, point);
    if (fingers.size === 2 && pinch) {
      const now = spread(fingers);
      pane.zoomBy(now.size / pinch.size, now.x, now.y);
      pane.panBy(now.x - pinch.x, now.y - pinch.y);
      pinch = now;
    } else if (drag) {
      follow(point);
    }
  };

  const follow = (point) => {
    const away = Math.hypot(point.x - drag.start.x, point.y - drag.start.y);
    if (drag.isClick && away < CLICK_PX) return;
    drag.isClick = false;
    const [dx, dy] = [point.x - drag.last.x, point.y - drag.last.y];
    drag.last = point;
    if (drag.tool === "pan") pane.panBy(dx, dy);
    else if (drag.tool === "window") moveWindow(pane, drag, point);
    else {
      drag.rest += dy;
      const steps = Math.trunc(drag.rest / SCROLL_PX);
      drag.rest -= steps * SCROLL_PX;
      if (steps !== 0) acts.scroll(steps);
    }
  };

  const up = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && drag?.isClick && fingers.size === 0) acts.pick(drag.start.x, drag.start.y);
    drag = null;
    pinch = null;
  };

  const turn = (event) => {
    event.preventDefault();
    acts.active();
    if (event.ctrlKey || event.metaKey) {
      const point = local(event);
      pane.zoomBy(Math.exp(-event.deltaY / 300), point.x, point.y);
      return;
    }
    // A mouse's notch is one slice; a touch pad's small steps add up to one.
    wheel += event.deltaMode === 0 ? event.deltaY : event.deltaY * WHEEL_PX;
    const steps = Math.abs(event.deltaY) >= 100 && event.deltaMode === 0 ? Math.sign(event.deltaY) : Math.trunc(wheel / WHEEL_PX);
    if (steps === 0) return;
    wheel = 0;
    acts.scroll(steps);
  };

  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => acts.leave());
  stage.addEventListener("wheel", turn, { passive: false });
  stage.addEventListener("contextmenu", (event) => event.preventDefault());
}

/** Right: wider; down: brighter centre moves up. A drag over the whole stage spans the values of the series. */
function moveWindow(pane, drag, point) {
  const [low, high] = pane.series.value_range;
  const step = Math.max(high - low, 1e-6) / 600;
  const width = Math.max(step, drag.window.width + (point.x - drag.start.x) * step * 1.5);
  pane.setWindow({ centre: drag.window.centre + (point.y - drag.start.y) * step, width });
}

function spread(fingers) {
  const [a, b] = [...fingers.values()];
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, size: Math.max(10, Math.hypot(a.x - b.x, a.y - b.y)) };
}
