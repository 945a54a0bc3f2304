/* Keys, what frames tell, and how far work in the background is.

   Each key presses the button or follows the link that names it, so that everything can be
   done without keys, and nothing with them alone. */
"use strict";

const main = document.querySelector("main");
let leaving = false;

const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;
const columns = () => [...document.querySelectorAll(".column")];

function named(key) {
  const wanted = `[data-key~="${CSS.escape(key)}"]`;
  const column = document.querySelector(".column[aria-current]");
  return column?.querySelector(wanted) ?? document.querySelector(`${wanted}:not(.column *)`);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey) {
    const form = event.key === "Enter" ? event.target.closest("form.rejecting") : null;
    if (form && !event.repeat) form.requestSubmit(form.querySelector("button.reject"));
    return;
  }
  if (event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  // A table that is wider than its place is moved by the arrows.
  if (event.key.startsWith("Arrow") && event.target.closest(".wide")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") rest();
    return;
  }
  if (!keysOn()) return;
  if (columns().length && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    event.preventDefault();
    turn(event.key === "ArrowRight" ? 1 : -1);
    return;
  }
  const target = named(event.key);
  // A key that is held down, or pressed again before the next page is there, judges nothing.
  if (!target || event.repeat || leaving) return;
  event.preventDefault();
  if (target.matches("textarea, input")) {
    target.focus();
    return;
  }
  if (target.matches("a")) leaving = true;
  target.click();
});

/* From a field, or a frame, back to where keys are heard. */
function rest() {
  document.activeElement?.blur();
  main.focus({ preventScroll: true });
}

// Everything that leads away, so that nothing is judged twice.
document.addEventListener("submit", (event) => {
  if (leaving) event.preventDefault();
  else leaving = true;
});
addEventListener("pageshow", () => (leaving = false));

// Columns, of which one is meant by the keys

function choose(column) {
  for (const one of columns()) one.removeAttribute("aria-current");
  column.setAttribute("aria-current", "true");
}

function turn(step) {
  const all = columns();
  const at = all.findIndex((one) => one.hasAttribute("aria-current"));
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  choose(next);
  next.querySelector("h3").focus();
  next.scrollIntoView({ inline: "nearest", block: "nearest" });
}

for (const column of columns()) {
  column.addEventListener("focusin", () => choose(column));
  column.addEventListener("pointerdown", () => choose(column));
}

// Reasons that were given before

for (const button of document.querySelectorAll("button[data-reason]")) {
  button.addEventListener("click", () => {
    const field = button.closest("form").querySelector("textarea");
    field.value = button.dataset.reason;
    field.focus();
  });
}

// Letters alone get in the way of who speaks to the computer: they can be turned off

/* Remembered by a cookie, which knows no port: the next review has another. */
function keysOn(wanted) {
  if (wanted !== undefined) {
    document.cookie = `turkbatch-keys=${wanted ? "on" : "off"}; path=/; max-age=31536000; samesite=strict`;
  }
  return !document.cookie.includes("turkbatch-keys=off");
}

const keysBox = document.getElementById("keys-on");
if (keysBox) {
  keysBox.checked = keysOn();
  keysBox.addEventListener("change", () => keysOn(keysBox.checked));
}

const help = document.getElementById("help");
for (const button of document.querySelectorAll("[data-opens=help]")) {
  button.addEventListener("click", () => help.showModal());
}

// Frames tell what of the answers they could not show; they can tell nothing else

addEventListener("message", (event) => {
  const frame = [...document.querySelectorAll("iframe")].find((one) => one.contentWindow === event.source);
  if (!frame) return;
  if (event.data?.turkbatch === "leave") rest();
  if (event.data?.turkbatch !== "filled") return;
  const place = document.getElementById(frame.dataset.answers);
  const lists = [
    [event.data.missing, "not in the page"],
    [event.data.hidden, "in a hidden field"],
  ];
  for (const row of place.querySelectorAll("[data-field]")) {
    const found = lists.find(([names]) => Array.isArray(names) && names.includes(row.dataset.field));
    row.querySelector(".place").textContent = found ? ` (${found[1]})` : "";
    if (found) place.closest("details")?.setAttribute("open", "");
  }
  frame.dataset.filled = "true";
});

// What goes on in the background

async function watch(element) {
  try {
    const state = await (await fetch(element.dataset.watch)).json();
    element.querySelector("[data-told]").textContent = state.text;
    const bar = element.querySelector("progress");
    if (bar && state.total) {
      bar.max = state.total;
      bar.value = state.done;
    }
    if (!state.running) {
      if (element.hasAttribute("data-reload")) location.reload();
      return;
    }
  } catch {
    // the server has ended, or comes back
  }
  setTimeout(() => watch(element), 300);
}

for (const element of document.querySelectorAll("[data-watch]")) watch(element);

// The last page is here: the server need wait no longer
const ended = document.querySelector("[data-ended]");
if (ended) fetch(ended.dataset.ended, { method: "POST" }).catch(() => {});
