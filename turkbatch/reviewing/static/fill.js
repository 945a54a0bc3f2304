/* Puts a worker's answers into the page on which they were given, and keeps that page from
   sending anything. It runs before all scripts of the page's own, which may make their fields
   as late as they like: it looks again whenever something was added.

   Crowd HTML Elements are those that are drawn by turkbatch itself. What has no place in the
   page is told to the page around it, which lists every answer anyway. */

((told) => {
  "use strict";
  const values = new Map(told.values);

  // Nothing is sent

  const reads = (method) => ["GET", "HEAD"].includes(String(method ?? "GET").toUpperCase());
  const { fetch, XMLHttpRequest } = window;
  const { open, send } = XMLHttpRequest.prototype;
  const silenced = new WeakSet();

  window.fetch = (resource, options) => {
    const method = options?.method ?? (resource instanceof Request ? resource.method : "GET");
    if (reads(method)) return fetch.call(window, resource, options);
    return Promise.reject(new TypeError("Nothing is sent while work is reviewed."));
  };
  XMLHttpRequest.prototype.open = function (method, ...rest) {
    if (!reads(method)) silenced.add(this);
    return open.call(this, method, ...rest);
  };
  XMLHttpRequest.prototype.send = function (...body) {
    if (!silenced.has(this)) return send.apply(this, body);
    setTimeout(() => this.dispatchEvent(new ProgressEvent("error")));
    return undefined;
  };
  navigator.sendBeacon = () => true;
  HTMLFormElement.prototype.submit = () => {};
  HTMLFormElement.prototype.requestSubmit = () => {};
  addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );

  // The keys stay with the page around this one, until someone turns to this one

  let turnedTo = false;
  const { focus } = HTMLElement.prototype;
  HTMLElement.prototype.focus = function (...how) {
    if (turnedTo) focus.apply(this, how);
  };
  for (const type of ["pointerdown", "keydown"]) {
    addEventListener(type, (event) => (turnedTo ||= event.isTrusted), true);
  }
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.isTrusted) parent.postMessage({ turkbatch: "leave" }, told.site);
  });

  // What was answered stays as it is

  addEventListener(
    "beforeinput",
    (event) => {
      if (event.isTrusted) event.preventDefault();
    },
    true,
  );
  for (const type of ["input", "change"]) {
    addEventListener(type, (event) => event.isTrusted && later(), true);
  }

  // Filling

  const MARK = "3px solid #b26a00";
  const CHOICES = ["radio", "checkbox", "submit", "button", "image", "reset"];
  // What each name was given in this page, and what of it has found no place yet.
  let given = new Map();
  let left = new Map();
  let hidden = new Set();
  let order = new Map();

  const isChoice = (control) => CHOICES.includes(control.type);

  /* Several values of one name come joined by bars, which one value may hold as well. */
  function apart(texts, controls) {
    if (texts.length !== 1 || !texts[0].includes("|")) return texts;
    const choices = controls.flatMap((one) =>
      one.localName === "select" ? [...one.options].map((option) => option.value) : isChoice(one) ? [one.value] : [],
    );
    const written = controls.filter((one) => !isChoice(one) && one.localName !== "select");
    const alone = choices.includes(texts[0]) || (choices.length === 0 && written.length < 2);
    return alone ? texts : texts[0].split("|");
  }

  function sortOut() {
    const controls = new Map();
    for (const one of document.querySelectorAll("input, textarea, select, button")) {
      if (one.name && !one.hasAttribute("data-crowd-control")) {
        controls.set(one.name, [...(controls.get(one.name) ?? []), one]);
      }
    }
    given = new Map([...values].map(([name, texts]) => [name, apart(texts, controls.get(name) ?? [])]));
    // An empty answer has its place anywhere.
    left = new Map([...given].map(([name, texts]) => [name, texts.filter((text) => text !== "")]));
    hidden = new Set();
    order = new Map();
  }

  /* Takes a value as placed; false if no such was given. */
  function take(name, value) {
    const rest = left.get(name);
    const at = rest === undefined ? -1 : rest.indexOf(value);
    if (at < 0) return false;
    rest.splice(at, 1);
    return true;
  }

  const takeAll = (name) => left.delete(name);
  const first = (name) => values.get(name)?.[0];
  const lines = (text) => text.replace(/\r\n?/g, "\n");

  function parsed(name) {
    try {
      return JSON.parse(first(name));
    } catch {
      return undefined;
    }
  }

  function announce(element) {
    element.dispatchEvent(new Event("input", { bubbles: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /* Through the browser's own setter, past those that frameworks put before it. */
  function setProperty(element, property, value) {
    if (element[property] === value) return;
    const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(element), property);
    set.call(element, value);
    announce(element);
  }

  function fillBox(box, name) {
    const leaf = `${name}.${box.value}`;
    let wanted;
    if (box.closest("crowd-form") && values.has(leaf)) {
      wanted = first(leaf) === "true";
      takeAll(leaf);
    } else {
      wanted = given.get(name)?.includes(box.value) ?? false;
      take(name, box.value);
    }
    setProperty(box, "checked", wanted);
  }

  function fillSelect(select, name, value) {
    const several = select.multiple && select.closest("crowd-form") ? parsed(name) : undefined;
    const wanted = select.multiple ? (several ?? given.get(name) ?? []) : [value];
    let changed = false;
    let found = 0;
    for (const option of select.options) {
      const chosen = wanted.includes(option.value);
      if (chosen) found += 1;
      if (chosen && several === undefined) take(name, option.value);
      if (option.selected !== chosen && (select.multiple || chosen)) {
        option.selected = chosen;
        changed = true;
      }
    }
    if (several !== undefined && found >= wanted.length) takeAll(name);
    if (changed) announce(select);
  }

  function fillPlain(element) {
    const { name, type } = element;
    if (!name || element.hasAttribute("data-crowd-control")) return;
    if (type === "radio" || type === "checkbox") {
      fillBox(element, name);
      return;
    }
    const texts = given.get(name);
    if (texts === undefined) return;
    if (type === "hidden") {
      hidden.add(name);
      return;
    }
    if (isChoice(element)) {
      // A button that was pressed to submit, and said so.
      if (take(name, element.value)) element.style.outline = MARK;
      return;
    }
    if (type === "file") return;
    if (element.localName === "select" && element.multiple) {
      fillSelect(element, name);
      return;
    }
    // Of several fields with one name, each has the answer of its own place.
    const place = order.get(name) ?? 0;
    order.set(name, place + 1);
    if (place >= texts.length) return;
    if (element.localName === "select") {
      fillSelect(element, name, texts[place]);
      return;
    }
    const text = lines(texts[place]);
    setProperty(element, "value", text);
    if (lines(element.value) === text) take(name, texts[place]);
  }

  function fillControl(element, name, value) {
    if (value === undefined || !element.control) return;
    if (element.control.value !== value) {
      element.value = value;
      announce(element.control);
    }
    if (lines(element.control.value) === lines(value)) takeAll(name);
  }

  function fillCrowdBox(element) {
    const leaf = `${element.name}.${element.value}`;
    if (!values.has(leaf)) return;
    const wanted = first(leaf) === "true";
    if (element.checked !== wanted) {
      element.checked = wanted;
      announce(element.control);
    }
    takeAll(leaf);
  }

  function fillCategories(element, labels, name) {
    const boxes = [...(element.set?.querySelectorAll("input") ?? [])];
    for (const box of boxes) setProperty(box, "checked", labels.includes(box.value));
    const known = boxes.map((box) => box.value);
    if (labels.every((label) => known.includes(label))) takeAll(name);
    const remark = first(`${element.key}.workerComment`);
    if (remark !== undefined && element.remark) {
      setProperty(element.remark, "value", lines(remark));
      element.remark.closest("details").open = true;
      takeAll(`${element.key}.workerComment`);
    }
  }

  const filled = new WeakMap();
  const takeBelow = (path) => {
    for (const name of left.keys()) if (name.startsWith(path)) left.delete(name);
  };

  /* They follow from the picture, and from there being marks. */
  function takeCircumstances(element) {
    takeBelow(`${element.key}.inputImageProperties.`);
    takeAll(`${element.key}.initialValueModified`);
  }

  function fillMarks(element, part) {
    const name = `${element.key}.${part}`;
    const marks = parsed(name);
    if (!Array.isArray(marks) || !element.marks) return;
    element.change = () => {};
    if (!filled.has(element) || JSON.stringify(element.marks) !== filled.get(element)) {
      element.marks = element.initial(marks);
      element.show();
      filled.set(element, JSON.stringify(element.marks));
    }
    // One of a label that the element does not have is in the table alone.
    if (element.marks.length === marks.length) takeAll(name);
    takeCircumstances(element);
  }

  function fillMask(element) {
    const name = `${element.key}.labeledImage.pngImageData`;
    const painting = first(name);
    if (painting === undefined || !element.size?.width) return;
    const colors = `${element.key}.labelMappings.`;
    const named = [...values.keys()].filter((one) => one.startsWith(colors));
    const mappings = named.map((one) => [one.slice(colors.length).replace(/\.color$/, ""), { color: first(one) }]);
    if (mappings.length) element.given = { labelMappings: Object.fromEntries(mappings) };
    const instances = parsed(`${element.key}.instances`);
    if (Array.isArray(instances) && JSON.stringify(element.marks) !== JSON.stringify(instances)) {
      element.marks = instances;
      element.show();
    }
    element.change = () => {};
    takeAll(`${element.key}.instances`);
    takeBelow(colors);
    takeCircumstances(element);
    // What it paints may be written otherwise than it came; so it is held against itself.
    if (filled.has(element) && filled.get(element) === element.png()) {
      takeAll(name);
      return;
    }
    const image = new Image();
    image.addEventListener("load", () => {
      element.pixels.clearRect(0, 0, element.canvas.width, element.canvas.height);
      element.pixels.drawImage(image, 0, 0);
      filled.set(element, element.png());
      later();
    });
    image.src = `data:image/png;base64,${painting}`;
  }

  // Nothing is added to what the worker has drawn, and nothing taken away
  const DRAWN = ".crowd-stage, [data-crowd-tool], .crowd-marks button, .crowd-palette button";
  for (const type of ["pointerdown", "click", "dblclick", "keydown"]) {
    addEventListener(
      type,
      (event) => {
        const leads = ["Tab", "Escape"].includes(event.key);
        if (event.isTrusted && !leads && event.target.closest?.(DRAWN)) event.stopImmediatePropagation();
      },
      true,
    );
  }

  const CROWD = {
    "crowd-input": (one) => fillControl(one, one.name, first(one.name)),
    "crowd-text-area": (one) => fillControl(one, one.name, first(one.name)),
    "crowd-slider": (one) => fillControl(one, one.name, first(one.name)),
    "crowd-checkbox": fillCrowdBox,
    "crowd-toggle-button": fillCrowdBox,
    "crowd-radio-button": fillCrowdBox,
    "crowd-classifier": fillOne,
    "crowd-image-classifier": fillOne,
    "crowd-classifier-multi-select": fillSeveral,
    "crowd-image-classifier-multi-select": fillSeveral,
    "crowd-bounding-box": (one) => fillMarks(one, "boundingBoxes"),
    "crowd-entity-annotation": (one) => fillMarks(one, "entities"),
    "crowd-polygon": (one) => fillMarks(one, "polygons"),
    "crowd-polyline": (one) => fillMarks(one, "polylines"),
    "crowd-line": (one) => fillMarks(one, "lines"),
    "crowd-keypoint": (one) => fillMarks(one, "keypoints"),
    "crowd-semantic-segmentation": fillMask,
    "crowd-instance-segmentation": fillMask,
  };

  function fillOne(element) {
    const label = first(`${element.key}.label`);
    if (label !== undefined) fillCategories(element, [label], `${element.key}.label`);
  }

  function fillSeveral(element) {
    const labels = parsed(`${element.key}.labels`);
    if (Array.isArray(labels)) fillCategories(element, labels, `${element.key}.labels`);
  }

  let reported = "";

  function fill() {
    sortOut();
    for (const element of document.querySelectorAll("*")) {
      if (element.matches("input, textarea, select, button")) fillPlain(element);
      else if (element.prepared) CROWD[element.localName]?.(element);
    }
    const missing = [...left].filter(([name, rest]) => rest.length && !hidden.has(name)).map(([name]) => name);
    const report = { turkbatch: "filled", assignment: told.assignment, missing, hidden: [...hidden] };
    if (JSON.stringify(report) !== reported) {
      reported = JSON.stringify(report);
      parent.postMessage(report, told.site);
    }
  }

  /* Should the page change a field for each change of ours, somebody has to give in. */
  let patience = 200;
  let waiting = false;

  function later() {
    if (waiting || patience <= 0) return;
    waiting = true;
    patience -= 1;
    setTimeout(() => {
      waiting = false;
      fill();
    }, 20);
  }

  addEventListener("pointerdown", (event) => {
    if (event.isTrusted) patience = 200;
  }, true);
  new MutationObserver(later).observe(document, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["name", "type", "value"],
  });
  document.addEventListener("DOMContentLoaded", later);
  // Of pictures, on which marks are drawn.
  addEventListener("load", (event) => event.target instanceof HTMLImageElement && later(), true);
  document.addEventListener("all-crowd-elements-ready", later);
  addEventListener("load", () => {
    // A script may set a field without any trace; those that do, do it soon.
    for (const wait of [0, 100, 300, 1000, 3000]) setTimeout(later, wait);
  });
})
