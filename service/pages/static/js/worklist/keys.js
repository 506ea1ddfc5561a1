// Keys of the worklist: up and down move between studies, Enter opens (the link's own), / searches, u uploads. Single
// letters and signs are switched off together with those of the reading room.

const KEPT = "spinescribe.reading.keys";
const areKeysOn = () => localStorage.getItem(KEPT) !== "off";

function isTyping(target) {
  return target.closest("input, select, textarea, dialog, [contenteditable]") !== null;
}

function move(step) {
  const links = [...document.querySelectorAll("#studies .study-link")];
  if (links.length === 0) return;
  const row = document.activeElement.closest("#studies tr");
  const current = row ? links.findIndex((link) => row.contains(link)) : -1;
  const next = current < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, current + step));
  links[next].focus();
  links[next].closest("tr").scrollIntoView({ block: "nearest" });
}

/** Listen; `upload()` opens the upload dialog. */
export function listenToKeys({ upload }) {
  const doings = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    j: () => move(1),
    k: () => move(-1),
    "/": () => document.getElementById("search").select(),
    u: upload,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const doing = doings[event.key];
    if (!doing || (event.key.length === 1 && !areKeysOn())) return;
    event.preventDefault();
    doing();
  });
  document.getElementById("search").addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      move(1);
    }
  });
}
