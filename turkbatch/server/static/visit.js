/* The end of a visit: copies the code, and goes back to the platform. All of it works by hand, too. */

"use strict";

(() => {
  const copy = document.querySelector("[data-copy]");
  if (copy && navigator.clipboard) {
    const code = document.getElementById(copy.dataset.copy);
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const told = document.querySelector("[data-copied]");
      try {
        await navigator.clipboard.writeText(code.textContent);
        told.textContent = "The code is copied.";
      } catch {
        getSelection().selectAllChildren(code);
        told.textContent = "The code is selected; copy it with your keyboard or menu.";
      }
    });
  }

  /* Not where the page was come back to: whoever does so wants to see it. */
  const back = document.querySelector("[data-return]");
  const [entry] = performance.getEntriesByType("navigation");
  if (back && entry?.type !== "back_forward") {
    const line = document.querySelector("[data-countdown]");
    const shown = line.querySelector("span");
    let left = Number(back.dataset.seconds);
    line.hidden = false;
    const timer = setInterval(() => {
      left -= 1;
      shown.textContent = String(left);
      if (left <= 0) {
        clearInterval(timer);
        location.assign(back.href);
      }
    }, 1000);
    line.querySelector("button").addEventListener("click", () => {
      clearInterval(timer);
      line.hidden = true;
    });
  }
})();
