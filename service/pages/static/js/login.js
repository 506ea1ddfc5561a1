// Sign in, and say what went wrong; after too many tries the button waits as long as the server asks.
import { api } from "./api.js";
import { countdown } from "./waiting.js";

const form = document.getElementById("sign-in");
const told = document.getElementById("sign-in-error");
const button = form.querySelector("button[type=submit]");

function refuse(words, field = null) {
  told.textContent = words;
  for (const input of form.querySelectorAll("input")) input.setAttribute("aria-invalid", String(input === field));
  field?.focus();
}

function explain(error) {
  if (error.status === 429) {
    countdown(error.retryAfter ?? 60, (left) => {
      button.disabled = left > 0;
      refuse(left > 0 ? `Too many tries. Wait ${left} s, then try again.` : "");
    });
  } else if (error.status === 401) {
    form.password.value = "";
    refuse("User name or password is wrong.", form.password);
  } else {
    refuse(error.message);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.elements.name.value.trim() === "") return refuse("Type your user name.", form.elements.name);
  if (form.password.value === "") return refuse("Type your password.", form.password);
  refuse("");
  button.disabled = true;
  try {
    await api.post("/session", { name: form.elements.name.value.trim(), password: form.password.value });
    location.assign(form.dataset.next);
  } catch (error) {
    button.disabled = false;
    explain(error);
  }
  return undefined;
});
