// One's own account: looks and password. Looks are saved as soon as they are chosen.
import { api, setCsrfToken } from "./api.js";
import { sentence, toast } from "./dom.js";

const told = (form) => form.querySelector(".error-words");

async function saving(form, request, words) {
  told(form).textContent = "";
  try {
    const answer = await request();
    toast(words, "ok");
    return answer;
  } catch (error) {
    told(form).textContent = sentence(error.message);
    throw error;
  }
}

const preferences = document.getElementById("preferences-form");
preferences.addEventListener("change", async () => {
  const chosen = {
    theme: preferences.elements.theme.value,
    hide_ai_until_first_look: preferences.elements.hide_ai_until_first_look.checked,
  };
  try {
    await saving(preferences, () => api.patch("/session/preferences", chosen), "Saved.");
    document.documentElement.dataset.theme = chosen.theme;
    document.body.dataset.hideAi = String(chosen.hide_ai_until_first_look);
  } catch {
    // told beside the form
  }
});

const password = document.getElementById("password-form");
password.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { current, new: fresh, again } = password.elements;
  if (fresh.value !== again.value) {
    told(password).textContent = "The two new passwords are not the same.";
    again.focus();
    return;
  }
  try {
    const body = { current: current.value, new: fresh.value };
    await saving(password, () => api.post("/session/password", body), "The password is changed.");
    password.reset();
    setCsrfToken((await api.get("/session")).csrf_token);
  } catch {
    // told beside the form
  }
});

const { user } = await api.get("/session");
document.getElementById("own-groups").textContent = user.groups.map((group) => group.name).join(", ") || "none";
document.getElementById("password-panel").hidden = !user.has_password;
