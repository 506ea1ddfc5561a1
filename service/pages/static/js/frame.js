// What the frame of every page does: sign out, close menus.
import { api } from "./api.js";
import { toast } from "./dom.js";

document.querySelector('[data-action="sign-out"]')?.addEventListener("click", async () => {
  try {
    await api.del("/session");
    location.assign("/login");
  } catch (error) {
    toast(`You are still signed in: ${error.message}`, "danger");
  }
});

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
