/* The worker site's own script: everything works without it but the countdown, and the step
   from a submitted task to the next page. */

"use strict";

(() => {
  const RECHECK_SECONDS = 5;
  const HINT_AFTER_SECONDS = 10;

  /* The time left, by the server's clock: it can be moved. At the end the page says so. */
  const clock = document.querySelector("[data-seconds-left]");
  if (clock) {
    const shown = clock.querySelector("[role=timer]");
    let end = performance.now() + 1000 * Number(clock.dataset.secondsLeft);
    let over = false;
    const two = (number) => String(number).padStart(2, "0");
    const finish = () => {
      if (!over) {
        over = true;
        location.reload();
      }
    };
    const tick = () => {
      const left = Math.max(0, Math.round((end - performance.now()) / 1000));
      const hours = Math.floor(left / 3600);
      shown.textContent = `${hours ? `${hours}:` : ""}${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`;
      clock.classList.toggle("short", left < 60);
      if (left === 0) check();
    };
    const check = async () => {
      if (over) return;
      if (!clock.dataset.state) {
        if (performance.now() >= end) finish();
        return;
      }
      try {
        const reply = await fetch(clock.dataset.state);
        const { state, secondsLeft } = await reply.json();
        if (state !== "Accepted") finish();
        else end = performance.now() + 1000 * secondsLeft;
      } catch {
        // The server may be away for a moment; the next look tells.
      }
    };
    tick();
    setInterval(tick, 1000);
    setInterval(check, 1000 * RECHECK_SECONDS);
    addEventListener("focus", check);
  }

  /* A task's frame that has shown the site's own page of success: this page goes on. */
  const frame = document.querySelector("iframe.task");
  addEventListener("message", (event) => {
    const ours = frame && event.source === frame.contentWindow && event.origin === location.origin;
    if (!ours || typeof event.data?.goOn !== "string") return;
    const target = new URL(event.data.goOn, location.href);
    if (target.origin !== location.origin || !target.pathname.endsWith("/go-on")) return;
    const form = document.createElement("form");
    form.method = "post";
    form.action = target.href;
    document.body.append(form);
    form.submit();
  });
  const goOn = document.querySelector("[data-go-on]");
  if (goOn) {
    if (window.top !== window) window.top.postMessage({ goOn: goOn.action }, location.origin);
    else if (goOn.dataset.goOn === "here") goOn.submit();
  }

  if (frame) {
    const hint = document.querySelector("[data-loading]");
    const timer = setTimeout(() => (hint.hidden = false), 1000 * HINT_AFTER_SECONDS);
    frame.addEventListener("load", () => {
      clearTimeout(timer);
      hint.hidden = true;
    });
  }

  const auto = document.querySelector("[data-auto]");
  // In the background: a task that was begun must not be loaded anew.
  auto?.addEventListener("change", () =>
    fetch(auto.action, { method: "POST", body: new URLSearchParams(new FormData(auto)), redirect: "manual" }),
  );
})();
