"use strict";

const form = document.querySelector("form");
const button = form.querySelector("button");
const outcome = document.getElementById("outcome");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

// Not left behind in the address bar, the history or a bookmark.
history.replaceState(null, "", location.pathname);
// Another link to this page, opened in the same tab, changes nothing but the fragment.
addEventListener("hashchange", () => location.reload());

function tell(text, kind) {
  outcome.textContent = text;
  outcome.className = kind;
  outcome.focus();
}

document.getElementById("show")?.addEventListener("change", (event) => {
  document.getElementById("password").type = event.target.checked ? "text" : "password";
});

async function send() {
  const answer = await fetch(form.dataset.path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) }),
    credentials: "omit",
  });
  if (answer.ok) {
    form.hidden = true;
    tell(form.dataset.done, "good");
    return;
  }
  const problem = await answer.json().catch(() => ({}));
  tell(problem.detail ?? `The server answered ${answer.status}; try again later.`, "bad");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    await send();
  } catch {
    tell("The server cannot be reached; try again when you are online.", "bad");
  } finally {
    button.disabled = false;
  }
});

if (!token) {
  form.hidden = true;
  tell("This link is not complete. Open it from the mail once more.", "bad");
}
