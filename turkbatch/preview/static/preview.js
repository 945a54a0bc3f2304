/* Keys, widths, and news from the server: files that changed, work that was submitted. */
"use strict";

const root = document.documentElement;
const live = root.dataset.version !== undefined;

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = { ArrowLeft: "prev", p: "prev", ArrowRight: "next", n: "next" }[event.key];
  const link = wanted && document.querySelector(`a[rel="${wanted}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
});

const sheet = document.getElementById("sheet");
const widths = document.getElementById("widths");

function setWidth(width) {
  if (!sheet) return;
  sheet.style.width = width ? `${width}px` : "";
  for (const button of widths.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.width === width));
  }
}

if (widths) {
  const remembered = (value) => {
    try {
      if (value !== undefined) sessionStorage.setItem("width", value);
      return sessionStorage.getItem("width") ?? "";
    } catch {
      return value ?? "";
    }
  };
  widths.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) setWidth(remembered(button.dataset.width));
  });
  setWidth(remembered());
}

function made(name, text, ...children) {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  element.append(...children);
  return element;
}

async function showFindings() {
  const place = document.getElementById("findings");
  if (!place) return;
  const { findings } = await (await fetch("/findings")).json();
  const list = made("ul");
  list.className = "findings";
  for (const one of findings) {
    const item = made(
      "li",
      "",
      made("strong", one.severity),
      " ",
      made("code", one.where),
      `: ${one.found}; ${one.fix}${one.why ? ` (${one.why})` : ""} `,
      made("code", `[${one.rule}]`),
    );
    item.className = one.severity;
    list.append(item);
  }
  place.replaceChildren(findings.length ? list : made("p", "Nothing."));
}

async function showSubmission(number) {
  const place = document.getElementById("became");
  if (!place) return;
  const told = await (await fetch(`/submissions/${number}`)).json();
  const pairs = (wanted) => {
    const list = made("dl");
    for (const [name, value] of Object.entries(told.result)) {
      if (value === null || told.own.includes(name) !== wanted) continue;
      const text = typeof value === "string" ? value : JSON.stringify(value);
      list.append(made("div", "", made("dt", name), made("dd", text)));
    }
    return list;
  };
  place.replaceChildren(
    made("p", `Submission ${told.number}, of row ${told.row}`),
    made("h3", "Answer XML"),
    made("pre", told.answer || "(empty: nothing was answered)"),
    made("h3", "Row of the results"),
    pairs(true),
    made("details", "", made("summary", "Columns of every batch"), pairs(false)),
    ...told.notes.map((note) => made("p", note)),
  );
  // Out of the frame: what is new is read next, and the keys lead from row to row again.
  place.focus();
}

async function ask() {
  try {
    const state = await (await fetch("/state")).json();
    if (state.version !== root.dataset.version) {
      location.reload();
      return;
    }
    if (String(state.submissions) !== root.dataset.submissions) {
      root.dataset.submissions = String(state.submissions);
      await showSubmission(state.submissions);
    }
  } catch {
    // the server has ended, or comes back
  }
  setTimeout(ask, 1000);
}

if (live && (sheet || document.getElementById("findings"))) {
  showFindings().catch(() => {});
  ask();
}
