/* The worker site's own script: everything works without it but the countdown, and the step
   from a submitted task to the next page. */

"use strict";

(() => {
  const RECHECK_SECONDS = 5;
  const HINT_AFTER_SECONDS = 10;
  const SUBMITTED_SECONDS = 20;

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
        // The task's frame leads on from a submission, which may still be on its way back.
        if (state === "Submitted") setTimeout(finish, 1000 * SUBMITTED_SECONDS);
        else if (state !== "Accepted") finish();
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

  /* What the site's own pages in a task's frame ask of this page around it. A requester's page
     is of another origin, and is not heard. */
  const frame = document.querySelector("iframe.task");
  const secret = document.querySelector("meta[name=csrf-token]")?.content;
  const goOnTo = (address) => {
    const target = new URL(address, location.href);
    if (target.origin !== location.origin || !target.pathname.endsWith("/go-on")) return;
    const form = document.createElement("form");
    form.method = "post";
    form.action = target.href;
    if (secret) form.append(hidden("csrf_token", secret));
    document.body.append(form);
    form.submit();
  };
  const hidden = (name, value) => Object.assign(document.createElement("input"), { type: "hidden", name, value });
  const giveToken = (assignment) => {
    const own = frame.dataset.assignment === assignment;
    // To the site's own page alone, whatever the frame may show by now.
    frame.contentWindow.postMessage({ token: own ? frame.dataset.token : "" }, location.origin);
  };
  addEventListener("message", (event) => {
    const ours = frame && event.source === frame.contentWindow && event.origin === location.origin;
    if (!ours) return;
    if (typeof event.data?.goOn === "string") goOnTo(event.data.goOn);
    else if (typeof event.data?.tokenFor === "string") giveToken(event.data.tokenFor);
  });
  const goOn = document.querySelector("[data-go-on]");
  if (goOn) {
    if (window.top !== window) window.top.postMessage({ goOn: goOn.action }, location.origin);
    else if (goOn.dataset.goOn === "here") goOn.submit();
  }

  /* Answers that came without a session: the page around the frame knows the assignment's token,
     and gives it for its own assignment alone. Outside of a frame the worker decides. */
  const resend = document.querySelector("[data-resend]")?.dataset.resend;
  if (resend && window.top !== window) {
    const show = (name, shown) => document.querySelectorAll(`[data-${name}]`).forEach((one) => (one.hidden = !shown));
    show("outside", false);
    show("inside", true);
    addEventListener("message", (event) => {
      const ours = event.source === window.top && event.origin === location.origin;
      if (!ours || typeof event.data?.token !== "string") return;
      if (event.data.token) {
        // Fields named append or submit would stand in for the form's own.
        const form = document.querySelector("form");
        Element.prototype.append.call(form, hidden("turkbatchToken", event.data.token));
        HTMLFormElement.prototype.submit.call(form);
      } else {
        show("inside", false);
        show("refused", true);
      }
    });
    window.top.postMessage({ tokenFor: resend }, location.origin);
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
