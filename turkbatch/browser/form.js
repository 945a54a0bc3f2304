/* A task's page as a worker sees it: which fields there are, what happens when one is filled
   in, which button hands it in. Evaluated in the page, to an object that Python keeps. */

(selector) => {
  "use strict";

  const root = () => document.querySelector(selector) ?? document.body;
  const known = []; // elements by number
  const numbers = new WeakMap();
  const TEXTLESS = ["submit", "reset", "button", "image"];
  const NEXT = /^\W*(next|continue|start|begin|proceed|go on)\b/i;
  const SUBMIT = /\b(submit|send|finish|done|complete|hand in)\b/i;

  const number = (element) => {
    if (!numbers.has(element)) {
      numbers.set(element, known.length);
      known.push(element);
    }
    return numbers.get(element);
  };

  const shown = (element) => element.checkVisibility({ visibilityProperty: true });

  /* A control may be hidden behind its label. */
  const visible = (element) =>
    shown(element) || [...(element.labels ?? [])].some((label) => shown(label));

  const disabled = (element) =>
    element.matches(":disabled, [aria-disabled=true]") || element.hasAttribute("disabled");

  const isCrowdField = (element) =>
    /^crowd-(input|text-area|checkbox|toggle-button|radio-button|slider)$/.test(element.localName);

  const isWidget = (element) =>
    element.localName.startsWith("crowd-") && "output" in element && "key" in element;

  const children = (element) => [...(element.shadowRoot?.children ?? []), ...element.children];

  const escape = (text) =>
    text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  function attributes(element, changes) {
    const found = Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value]));
    return Object.entries({ ...found, ...changes })
      .filter(([, value]) => value !== null)
      .map(([name, value]) => ` ${name}="${escape(String(value))}"`)
      .join("");
  }

  const tag = (element, changes, inner = "", name = element.localName) =>
    `<${name}${attributes(element, changes)}>${inner}</${name}>`;

  /* Nameless fields feed others, by the page's script. */
  const nameOf = (element) =>
    element.getAttribute("name") || element.id || `(field ${number(element) + 1} without a name)`;

  const marked = (element, changes = {}) => ({
    name: nameOf(element), disabled: null, "data-turkbatch": number(element), ...changes,
  });

  function crowdValue(element) {
    return typeof element.value === "string" && element.localName !== "crowd-slider" ? element.value : null;
  }

  function field(element) {
    const { localName, type } = element;
    if (localName === "textarea") {
      return tag(element, marked(element), escape(element.value));
    }
    if (localName === "select") {
      const options = [...element.options]
        .filter((option) => !option.disabled)
        .map((option) => `<option value="${escape(option.value)}">${escape(option.label)}</option>`);
      return tag(element, marked(element), options.join(""));
    }
    if (["radio", "checkbox", "range", "color", "file"].includes(type)) return tag(element, marked(element));
    return tag(element, marked(element, { value: element.value }));
  }

  function writ(element) {
    const { localName } = element;
    if (element.hasAttribute("data-crowd-control") || localName === "script" || localName === "style") return "";
    const inner = () => children(element).map(writ).join("");
    if (localName === "datalist") return element.outerHTML;
    if (localName === "input" && element.type === "hidden") {
      return tag(element, { value: element.value });
    }
    if (element.matches("input, textarea, select")) {
      const asked = !TEXTLESS.includes(element.type) && visible(element) && !disabled(element);
      return asked ? field(element) : "";
    }
    if (isCrowdField(element) || isWidget(element)) {
      if (!shown(element) || disabled(element)) return inner();
      const image = element.image?.naturalWidth
        ? { "data-turkbatch-image": `${element.image.naturalWidth}x${element.image.naturalHeight}` }
        : {};
      const choice = /checkbox|toggle|radio/.test(localName);
      const value = choice || isWidget(element) ? {} : { value: crowdValue(element) };
      const name = isWidget(element) ? element.key : element.getAttribute("name");
      return tag(element, { ...marked(element), name, ...value, ...image }, inner());
    }
    if (element.isContentEditable && element.matches("[contenteditable]")) {
      return shown(element)
        ? `<textarea name="${escape(nameOf(element))}" data-turkbatch="${number(element)}">` +
            `${escape(element.innerText.trim())}</textarea>`
        : "";
    }
    if (localName === "form" && isForeign(element)) return "";
    return localName === "crowd-radio-group" ? tag(element, {}, inner()) : inner();
  }

  const isOurs = (form) =>
    /externalSubmit|mturk_form/.test(
      `${form.getAttribute("action")} ${form.id} ${form.getAttribute("name")}`,
    ) || form.closest("crowd-form, .question-form") !== null ||
    form.querySelector("[name=assignmentId]") !== null;

  /* Beside the form that is handed in: one for searching, say. */
  const isForeign = (form) => !isOurs(form) && [...document.forms].some(isOurs);

  function written() {
    const whole = root() ? writ(root()) : "";
    const crowd = document.querySelector("crowd-form");
    return crowd ? tag(crowd, {}, whole) : whole;
  }

  function described(element) {
    const kind = element.localName;
    return {
      number: number(element),
      kind: element.matches("[contenteditable]") ? "editable" : isWidget(element) ? "widget" : kind,
      type: kind === "input" ? element.type : "",
      name: nameOf(element),
      value: element.getAttribute("value") ?? (kind.startsWith("crowd-") || kind === "input" ? "on" : ""),
    };
  }

  /* What looks like a field on the page right now, for telling when that has come to rest. */
  const fields = () => [...written().matchAll(/data-turkbatch="(\d+)"/g)].map(([, one]) => one).join(" ");

  function rest(quiet, patience) {
    return new Promise((resolve) => {
      const began = performance.now();
      let before = fields();
      let since = began;
      const look = () => {
        const now = performance.now();
        const found = fields();
        if (found !== before) [before, since] = [found, now];
        const settled = found !== "" && now - since >= quiet;
        if (settled || now - began >= patience) resolve(found !== "");
        else setTimeout(look, 40);
      };
      look();
    });
  }

  // Filling in

  const labelled = (element) => element.labels?.length
    ? [...element.labels].find((label) => shown(label)) ?? element : element;

  function set(element, value) {
    const prototype = Object.getPrototypeOf(element);
    // Past what a framework may have put over it, so that it sees the change.
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(element, value);
    element.dispatchEvent(new Event("input", { bubbles: true }));
    element.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function check(element, wanted) {
    if (element.checked !== wanted) labelled(element).click();
    if (element.checked !== wanted) element.click();
    return element.checked === wanted;
  }

  const boxes = (widget) => [...widget.querySelectorAll("input[type=radio], input[type=checkbox]")]
    .filter((box) => box.hasAttribute("data-crowd-control"));

  function classify(widget, labels) {
    const found = boxes(widget);
    for (const box of found) if (box.type === "checkbox" && !labels.includes(box.value)) check(box, false);
    for (const box of found) if (labels.includes(box.value)) check(box, true);
    const chosen = found.filter((box) => box.checked).map((box) => box.value);
    return labels.every((label) => chosen.includes(label));
  }

  const choose = (widget, label) => {
    const box = boxes(widget).find((one) => one.value === label);
    if (box) check(box, true);
    return Boolean(box);
  };

  function numbersOf(row, values) {
    const inputs = [...row.querySelectorAll("input[type=number]")];
    values.forEach((value, index) => inputs[index] && set(inputs[index], String(value)));
    return inputs.length === values.length;
  }

  function drawBox(widget, box) {
    if (!choose(widget, box.label)) return false;
    const before = widget.list.children.length;
    press(widget, "add");
    if (widget.list.children.length === before) return false;
    const row = widget.list.lastElementChild;
    // First small, so that it may go anywhere.
    return numbersOf(row, [box.left, box.top, 1, 1]) &&
      numbersOf(row, [box.left, box.top, box.width, box.height]);
  }

  const press = (scope, name) => {
    const found = scope?.querySelector(`[data-crowd-tool="${name}"]`);
    found?.click();
    return Boolean(found);
  };

  function drawShape(widget, { label, vertices }) {
    const before = widget.list.children.length;
    if (!choose(widget, label) || !press(widget, "add") || widget.list.children.length === before) return false;
    const row = () => widget.list.lastElementChild;
    while (row().querySelectorAll(".crowd-point").length < vertices.length && press(row(), "add-point"));
    while (row().querySelectorAll(".crowd-point").length > vertices.length && press(row(), "remove-point"));
    return numbersOf(row(), vertices.flatMap(({ x, y }) => [x, y]));
  }

  /* A spot of each label, one beside the other: a mask is painted, not written. */
  function paint(widget, labels) {
    const { width, height } = widget.size;
    return width > 0 && labels.every((label, index) => {
      if (!choose(widget, label)) return false;
      press(widget, "add");
      widget.tap({ x: Math.round((width * (index + 1)) / (labels.length + 1)), y: Math.round(height / 2) });
      return true;
    });
  }

  function markText(widget, { startOffset, endOffset, label }) {
    const index = widget.labels.findIndex((one) => one.label === label);
    const press = widget.querySelectorAll(".crowd-palette button")[index];
    widget.control.focus();
    widget.control.setSelectionRange(startOffset, endOffset);
    press?.click();
    return Boolean(press);
  }

  function work(widget, output) {
    if ("label" in output) return classify(widget, [output.label]);
    if ("labels" in output) return classify(widget, output.labels);
    if (output.boundingBoxes) return output.boundingBoxes.map((box) => drawBox(widget, box)).every(Boolean);
    const shapes = output.polygons ?? output.polylines ?? output.lines ??
      output.keypoints?.map(({ label, x, y }) => ({ label, vertices: [{ x, y }] }));
    if (shapes) return shapes.map((one) => drawShape(widget, one)).every(Boolean);
    if (output.labelMappings) return paint(widget, Object.keys(output.labelMappings));
    if (output.instances) return paint(widget, output.instances.map(({ label }) => label));
    if (output.entities) return output.entities.map((one) => markText(widget, one)).every(Boolean);
    return false;
  }

  // Handing in

  const text = (element) =>
    (element.value || element.textContent || element.getAttribute("aria-label") || "").trim();

  const pressable = (element) => shown(element) && !disabled(element);

  function submitters() {
    const every = [];
    const walk = (element) => {
      every.push(element);
      children(element).forEach(walk);
    };
    if (root()) walk(root());
    const proper = every.filter((one) =>
      one.matches("button, input") && ["submit", "image"].includes(one.type) && one.form && !isForeign(one.form));
    // Where there is none, a page's script may hand in by any button.
    const made = every.filter((one) =>
      one.matches("button, input[type=button], [role=button], a") && SUBMIT.test(text(one)));
    return proper.length ? proper : made;
  }

  function submitter() {
    const found = submitters();
    const ready = found.find(pressable);
    if (ready) return { state: "ready", number: number(ready) };
    return { state: found.some(shown) ? "disabled" : "missing", number: null };
  }

  /* The button to the next part of a page that has several. */
  function next() {
    const found = [...document.querySelectorAll("button, input[type=button], [role=button]")].find(
      (one) => pressable(one) && NEXT.test(text(one)),
    );
    return found ? number(found) : null;
  }

  /* What a worker would be told is wrong. */
  function complaints() {
    const invalid = [...document.querySelectorAll("input, select, textarea")]
      .filter((one) => one.willValidate && !one.hasAttribute("data-crowd-control") && !one.validity.valid)
      .map((one) => `${nameOf(one)}: ${one.validationMessage}`);
    const crowd = [...document.querySelectorAll("crowd-form")]
      .map((form) => form.shadowRoot?.querySelector("#errors-box")?.textContent ?? "");
    return [...crowd, ...invalid].filter(Boolean).join(" ");
  }

  return {
    rest, submitter, next, complaints,
    read: () => {
      const page = written();
      const seen = new Set([...page.matchAll(/data-turkbatch="(\d+)"/g)].map(([, one]) => Number(one)));
      return { page, fields: [...seen].map((one) => described(known[one])) };
    },
    control: (one) => known[one].control ?? known[one],
    set: (one, value) => set(known[one].control ?? known[one], value),
    check: (one, wanted) => check(known[one].control ?? known[one], wanted),
    value: (one) => (known[one].control ?? known[one]).value,
    work: (one, output) => work(known[one], output),
    press: (one) => known[one].click(),
  };
}
