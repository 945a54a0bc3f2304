/* Crowd HTML Elements, drawn here: what pages load from assets.crowd.aws, without leaving
   this machine.

   A form posts what the real elements post: one field taskAnswers with a JSON list of one
   object, or with answer-format="flatten-objects" a field for each leaf. Elements are read as
   people write them: lists in single quotes, tags closed by a slash or not at all, which makes
   a browser put what follows inside them.

   Everything is drawn in the page itself, not in shadow trees, so that labels, the tab key,
   form resets and a page's own scripts find ordinary controls.

   Source: https://docs.aws.amazon.com/sagemaker/latest/dg/sms-ui-template-reference.html */

(() => {
  "use strict";
  if (customElements.get("crowd-form")) return;

  const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";
  const parameters = new URLSearchParams(location.search);
  const instructionRegions = ["short-instructions", "full-instructions"];
  let ready = false;
  let serial = 0;

  // Reading attributes

  /* JSON, or what comes near: single quotes, bare words, a comma too many. A quotation mark
     ends a string only where something can follow, so that 'don't know' is one. */
  function literal(text) {
    try {
      return JSON.parse(text);
    } catch {
      // read below
    }
    let at = 0;
    const space = () => {
      while (at < text.length && /\s/.test(text[at])) at += 1;
    };
    const value = () => {
      space();
      if (text[at] === "[") return list();
      if (text[at] === "{") return record();
      if (text[at] === "'" || text[at] === '"') return quoted();
      return bare();
    };
    const quoted = () => {
      const mark = text[at];
      let found = "";
      for (at += 1; at < text.length; at += 1) {
        if (text[at] === "\\" && at + 1 < text.length) {
          at += 1;
          found += { n: "\n", t: "\t" }[text[at]] ?? text[at];
        } else if (text[at] === mark && /^\s*([,\]}:]|$)/.test(text.slice(at + 1))) {
          at += 1;
          return found;
        } else {
          found += text[at];
        }
      }
      return found;
    };
    const bare = () => {
      const start = at;
      while (at < text.length && !",]}:".includes(text[at])) at += 1;
      const word = text.slice(start, at).trim();
      const known = { true: true, True: true, false: false, False: false, null: null, None: null };
      if (word in known) return known[word];
      return word !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
    };
    const list = () => {
      const found = [];
      for (at += 1; at < text.length; ) {
        space();
        if (text[at] === "]") break;
        if (text[at] === ",") {
          at += 1;
          continue;
        }
        const before = at;
        found.push(value());
        if (at === before) at += 1;
      }
      at += 1;
      return found;
    };
    const record = () => {
      const found = {};
      for (at += 1; at < text.length; ) {
        space();
        if (text[at] === "}") break;
        if (text[at] === ",") {
          at += 1;
          continue;
        }
        const before = at;
        const name = String(value());
        space();
        if (text[at] === ":") {
          at += 1;
          found[name] = value();
        }
        if (at === before) at += 1;
      }
      at += 1;
      return found;
    };
    return value();
  }

  function items(text) {
    const found = literal((text ?? "").trim());
    if (Array.isArray(found)) return found;
    return (text ?? "").trim().replace(/^\[|\]$/g, "").split(",");
  }

  const labelOf = (item) => (isRecord(item) ? item.label ?? item.text ?? "" : String(item)).trim();

  function choices(text) {
    return items(text).map(labelOf).filter((label) => label !== "");
  }

  function exclusionOf(text) {
    const found = literal((text ?? "").trim());
    return labelOf(isRecord(found) ? found.text ?? found : found ?? "");
  }

  // Answers

  const isRecord = (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value);

  /* The same name twice: one object with what both hold. */
  function merge(found, output) {
    for (const [name, value] of Object.entries(output)) {
      const before = found[name];
      found[name] = isRecord(before) && isRecord(value) ? { ...before, ...value } : value;
    }
  }

  function sorted(value) {
    if (Array.isArray(value)) return value.map(sorted);
    if (!isRecord(value)) return value;
    const names = Object.keys(value).sort();
    return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
  }

  function leaves(value, path = "") {
    if (!isRecord(value)) {
      return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
    }
    return Object.entries(value).flatMap(([name, inner]) =>
      leaves(inner, path === "" ? name : `${path}.${name}`),
    );
  }

  /* What a control of HTML itself adds inside a crowd-form. */
  function plainAnswer(control) {
    const { name, type } = control;
    if (!name || name === "assignmentId" || control.matches(":disabled")) return {};
    if (type === "radio" || type === "checkbox") {
      return { [name]: { [control.value]: control.checked } };
    }
    if (["file", "submit", "reset", "button", "image"].includes(type)) return {};
    if (control.localName === "select" && control.multiple) {
      const chosen = [...control.selectedOptions].map((option) => option.value);
      return chosen.length ? { [name]: chosen } : {};
    }
    return control.value === "" ? {} : { [name]: control.value };
  }

  // Making pages

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) {
        element.setAttribute(name, value);
      }
    }
    element.append(...children);
    return element;
  }

  /* A control of ours: its answer is its element's. */
  const control = (tag, attributes, ...children) =>
    make(tag, { "data-crowd-control": true, ...attributes }, ...children);

  const newId = () => `crowd-part-${(serial += 1)}`;

  function button(text, action, attributes = {}) {
    const made = make("button", { type: "button", class: "crowd-plain", ...attributes }, text);
    made.addEventListener("click", action);
    return made;
  }

  function dialog(title, ...content) {
    const heading = make("h2", { id: newId() }, title);
    const made = make("dialog", { class: "crowd-dialog", "aria-labelledby": heading.id });
    const close = button("Close", () => made.close());
    made.append(make("div", { class: "crowd-dialog-head" }, heading, close), ...content);
    return made;
  }

  const PHRASE = "b,i,em,strong,span,a,img,u,small,sub,sup,font,code,mark,s,q,abbr,kbd";

  /* Left open, an element holds what follows it too: only a leading phrase is its label. */
  function takeLabel(element, target) {
    const nodes = [...element.childNodes];
    const closed = !element.querySelector("input, select, textarea, button") &&
      ![...element.querySelectorAll("*")].some((inner) => inner.localName.startsWith("crowd-"));
    for (const node of nodes) {
      const phrase = node.nodeType === Node.TEXT_NODE ||
        (node.nodeType === Node.ELEMENT_NODE && node.matches(PHRASE) &&
          ![...node.querySelectorAll("*")].some((inner) => inner.localName.startsWith("crowd-")));
      if (!closed && !phrase) break;
      target.append(node);
    }
    return target.textContent.trim() !== "" || target.querySelector("img") !== null;
  }

  // Elements

  class CrowdElement extends HTMLElement {
    connectedCallback() {
      // While the page is parsed, an element does not have its children yet.
      if (ready) queueMicrotask(() => this.prepare());
    }

    prepare() {
      if (this.prepared || !this.isConnected) return;
      this.prepared = true;
      this.build();
    }

    build() {}

    get name() {
      return this.getAttribute("name") ?? "";
    }

    set name(value) {
      this.setAttribute("name", value);
    }

    get disabled() {
      return this.hasAttribute("disabled");
    }

    set disabled(value) {
      this.toggleAttribute("disabled", Boolean(value));
    }

    /* What it adds to the answers: names and values. */
    answer() {
      return {};
    }

    /* Why it can't be submitted as it is; empty if it can. */
    fault() {
      return "";
    }

    get caption() {
      return this.getAttribute("label") || this.getAttribute("header") || this.name || "This";
    }

    complain(message) {
      const about = this.control ?? this.querySelector("[data-crowd-control]");
      if (!this.message && message) {
        this.message = make("span", { class: "crowd-fault", id: newId() });
        (about?.closest(".crowd-field, label, fieldset") ?? about ?? this).after(this.message);
      }
      if (this.message) this.message.textContent = message;
      if (about) {
        about.toggleAttribute("aria-invalid", false);
        if (message) {
          about.setAttribute("aria-invalid", "true");
          about.setAttribute("aria-describedby", this.message.id);
        }
      }
    }
  }

  class CrowdForm extends CrowdElement {
    build() {
      const given = parameters.get("turkSubmitTo") ?? "";
      this.target = /^(https?:)?\/\//.test(given) ? given : "";
      this.form = make("form", { method: "post", novalidate: true });
      if (this.target) this.form.action = `${this.target}/mturk/externalSubmit`;
      this.form.append(...this.childNodes);
      this.append(this.form);
      if (!this.querySelector('crowd-button[form-action="submit"]')) {
        this.form.append(make("crowd-button", { "form-action": "submit", variant: "primary" }, "Submit"));
      }
      const shadow = this.attachShadow({ mode: "open" });
      this.errors = make("div", { id: "errors-box", role: "alert" });
      this.shown = make("pre", { id: "answers-box", "aria-label": "Answers", hidden: true });
      shadow.append(
        make("style", {}, ":host{display:block}#errors-box{color:#a4161a;font-weight:600}" +
          "#errors-box:not(:empty){margin:.75rem 0}#answers-box{white-space:pre-wrap;padding:.75rem;" +
          "border:1px solid #767676}"),
        make("slot"), this.errors, this.shown,
      );
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopPropagation();
        this.requestSubmit();
      });
    }

    /* All answers, as they are now. */
    get answers() {
      const found = {};
      for (const element of this.querySelectorAll("*")) {
        if (element instanceof CrowdElement) {
          merge(found, element.answer());
        } else if (element.matches("input, select, textarea") &&
            !element.hasAttribute("data-crowd-control")) {
          merge(found, plainAnswer(element));
        }
      }
      return sorted(found);
    }

    get fields() {
      if ((this.getAttribute("answer-format") ?? "").trim().toLowerCase() === "flatten-objects") {
        return leaves(this.answers).sort(([one], [other]) => (one < other ? -1 : 1));
      }
      return [["taskAnswers", JSON.stringify([this.answers])]];
    }

    checkValidity() {
      return this.faults().length === 0;
    }

    faults() {
      const found = [];
      for (const element of this.querySelectorAll("*")) {
        if (element instanceof CrowdElement && element !== this) {
          const message = element.disabled ? "" : element.fault();
          element.complain(message);
          if (message) found.push([element, message]);
        } else if (element.matches("input, select, textarea") &&
            !element.hasAttribute("data-crowd-control") && !element.checkValidity()) {
          found.push([element, `${element.name || "A field"}: ${element.validationMessage}`]);
        }
      }
      return found;
    }

    /* As of a form: checks, asks the page's own handlers, then submits. */
    requestSubmit() {
      if (this.posted) return;
      const found = this.faults();
      this.errors.textContent = found.map(([, message]) => message).join(" ");
      if (found.length) {
        const first = found[0][0];
        (first.querySelector("[data-crowd-control]") ?? first).focus();
        return;
      }
      if (this.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }))) {
        this.submit();
      }
    }

    /* As of a form: submits without checks, and without asking anybody. */
    submit() {
      const fields = this.fields;
      if (!this.target) {
        this.shown.hidden = false;
        this.shown.textContent = JSON.stringify(this.answers, null, 2);
        return;
      }
      const assignmentId = parameters.get("assignmentId") ?? "";
      if (assignmentId === PREVIEW || assignmentId === "") {
        this.errors.textContent = "You must ACCEPT the HIT before you can submit the results.";
        return;
      }
      if (this.posted) return;
      this.posted = true;
      const form = make("form", { method: "post", action: `${this.target}/mturk/externalSubmit`, hidden: true });
      for (const [name, value] of [["assignmentId", assignmentId], ...fields]) {
        const input = make("input", { type: "hidden", name });
        input.value = value;
        form.append(input);
      }
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
    }

    reset() {
      this.form.reset();
    }
  }

  class CrowdText extends CrowdElement {
    static observedAttributes = ["disabled", "value", "placeholder"];

    attributeChangedCallback(name, _before, value) {
      if (!this.control) return;
      if (name === "disabled") this.control.disabled = value !== null;
      else if (name === "value") this.control.value = value ?? "";
      else this.control.placeholder = value ?? "";
    }

    build() {
      const id = newId();
      const label = this.getAttribute("label");
      const named = label ? {} : { "aria-label": this.getAttribute("placeholder") || this.name || "Answer" };
      this.control = this.makeControl({
        id,
        ...named,
        placeholder: this.getAttribute("placeholder"),
        disabled: this.disabled,
        maxlength: this.getAttribute("max-length"),
        "aria-required": this.hasAttribute("required") ? "true" : null,
        autofocus: this.hasAttribute("auto-focus"),
      });
      const value = this.early ?? this.getAttribute("value");
      if (value !== null) {
        this.control.value = value;
        this.control.defaultValue = value;
      }
      const field = make("span", { class: "crowd-field" });
      if (label) field.append(make("label", { for: id }, label));
      field.append(this.control);
      this.prepend(field);
      if (this.hasAttribute("char-counter")) {
        const counter = make("span", { class: "crowd-counter", "aria-live": "polite" });
        const count = () => (counter.textContent = `${this.value.length} characters`);
        this.control.addEventListener("input", count);
        count();
        field.append(counter);
      }
      if (this.hasAttribute("auto-validate")) {
        this.control.addEventListener("input", () => this.complain(this.value ? this.fault() : ""));
      }
    }

    get value() {
      return this.control ? this.control.value : this.early ?? this.getAttribute("value") ?? "";
    }

    set value(value) {
      if (this.control) this.control.value = value;
      else this.early = String(value);
    }

    focus() {
      this.control?.focus();
    }

    answer() {
      const text = this.value;
      return this.name && text !== "" && !this.disabled ? { [this.name]: text } : {};
    }

    fault() {
      const message = this.getAttribute("error-message");
      const title = this.caption;
      const { validity } = this.control;
      if (validity.badInput || validity.typeMismatch || validity.rangeUnderflow ||
          validity.rangeOverflow || validity.stepMismatch) {
        return message || `${title}: ${this.control.validationMessage}`;
      }
      const text = this.value;
      if (text === "") {
        return this.hasAttribute("required") ? message || `${title} is required.` : "";
      }
      const least = Number(this.getAttribute("min-length") ?? 0);
      if (text.length < least) return message || `${title} needs at least ${least} characters.`;
      const most = Number(this.getAttribute("max-length") ?? Infinity);
      if (text.length > most) return message || `${title} takes at most ${most} characters.`;
      if (!fits(text, this.getAttribute("allowed-pattern"))) {
        return message || `${title} does not have the format asked for.`;
      }
      return "";
    }
  }

  /* A pattern is met by the whole text, or by each of its characters: it is documented as
     what a worker may type, and written as either. */
  function fits(text, pattern) {
    if (!pattern) return true;
    try {
      const whole = new RegExp(`^(?:${pattern})$`, "su");
      return whole.test(text) || [...text].every((character) => whole.test(character));
    } catch {
      return true;
    }
  }

  class CrowdInput extends CrowdText {
    makeControl(attributes) {
      const type = (this.getAttribute("type") ?? "text").trim().toLowerCase();
      const limits = Object.fromEntries(["min", "max", "step"].map((name) => [name, this.getAttribute(name)]));
      return control("input", { type, ...limits, ...attributes });
    }
  }

  class CrowdTextArea extends CrowdText {
    makeControl(attributes) {
      return control("textarea", { rows: this.getAttribute("rows") ?? 4, ...attributes });
    }
  }

  class CrowdBox extends CrowdElement {
    static observedAttributes = ["disabled", "checked"];

    attributeChangedCallback(name, _before, value) {
      if (!this.control) return;
      if (name === "disabled") this.control.disabled = value !== null;
      else this.control.checked = value !== null;
    }

    build() {
      const checked = this.early ?? this.hasAttribute("checked");
      this.control = control("input", { ...this.kind(), checked, disabled: this.disabled });
      const text = make("span");
      const label = make("label", { class: "crowd-choice" }, this.control, text);
      if (!takeLabel(this, text)) {
        text.remove();
        this.control.setAttribute("aria-label", this.getAttribute("label") || this.value || this.name);
      }
      this.prepend(label);
    }

    get value() {
      return this.getAttribute("value") || "on";
    }

    set value(value) {
      this.setAttribute("value", value);
    }

    get checked() {
      return this.control ? this.control.checked : this.early ?? this.hasAttribute("checked");
    }

    set checked(value) {
      if (this.control) this.control.checked = Boolean(value);
      else this.early = Boolean(value);
    }

    focus() {
      this.control?.focus();
    }

    answer() {
      return this.name && !this.disabled ? { [this.name]: { [this.value]: this.checked } } : {};
    }

    fault() {
      const required = this.hasAttribute("required") && this.mayBeRequired;
      return required && !this.checked ? `${this.querySelector("label").textContent.trim() || this.caption} must be checked.` : "";
    }

    get mayBeRequired() {
      return true;
    }
  }

  class CrowdCheckbox extends CrowdBox {
    kind() {
      return { type: "checkbox" };
    }
  }

  class CrowdToggleButton extends CrowdBox {
    kind() {
      return { type: "checkbox", role: "switch" };
    }
  }

  class CrowdRadioButton extends CrowdBox {
    kind() {
      const group = this.closest("crowd-radio-group");
      // Apart from the page's own names: those of a group may differ.
      return { type: "radio", name: `crowd-radio ${group ? group.group : this.name}` };
    }

    get mayBeRequired() {
      return false;
    }
  }

  class CrowdRadioGroup extends CrowdElement {
    get group() {
      return (this.groupId ??= newId());
    }

    build() {
      this.setAttribute("role", "radiogroup");
    }

    get selected() {
      return [...this.querySelectorAll("crowd-radio-button")].find((one) => one.checked);
    }
  }

  class CrowdSlider extends CrowdElement {
    static observedAttributes = ["disabled", "value"];

    attributeChangedCallback(name, _before, value) {
      if (!this.control) return;
      if (name === "disabled") this.control.disabled = value !== null;
      else this.value = value ?? 0;
    }

    build() {
      const limits = {
        min: this.getAttribute("min") ?? 0,
        max: this.getAttribute("max") ?? 100,
        step: this.getAttribute("step"),
        disabled: this.disabled,
      };
      const named = { "aria-label": this.caption };
      this.control = control("input", { type: "range", ...limits, ...named });
      this.control.value = this.early ?? this.getAttribute("value") ?? limits.min;
      this.control.defaultValue = this.control.value;
      this.shown = this.hasAttribute("editable")
        ? control("input", { type: "number", ...limits, "aria-label": `${this.caption}, as a number` })
        : make("output");
      this.shown.value = this.control.value;
      this.control.addEventListener("input", () => (this.shown.value = this.control.value));
      this.shown.addEventListener("input", () => (this.control.value = this.shown.value));
      this.prepend(make("span", { class: "crowd-field crowd-slider" }, this.control, this.shown));
    }

    get value() {
      return Number(this.control ? this.control.value : this.early ?? this.getAttribute("value") ?? 0);
    }

    set value(value) {
      if (!this.control) this.early = value;
      else this.shown.value = this.control.value = value;
    }

    answer() {
      return this.name && !this.disabled ? { [this.name]: this.value } : {};
    }
  }

  const GLYPHS = {
    add: "+", check: "✓", close: "×", clear: "×", delete: "×", help: "?", info: "i",
    star: "★", search: "⌕", menu: "≡", send: "➤", favorite: "♥",
  };
  const glyph = (icon) => GLYPHS[(icon ?? "").split(":").pop()] ?? icon ?? "";

  class CrowdButton extends CrowdElement {
    static observedAttributes = ["disabled"];

    attributeChangedCallback(_name, _before, value) {
      if (this.control) this.control.disabled = value !== null;
    }

    build() {
      const variant = this.getAttribute("variant") ?? "normal";
      const href = this.getAttribute("href");
      const look = { class: `crowd-button crowd-${variant}` };
      if (href) {
        this.control = make("a", { ...look, href, target: this.getAttribute("target") });
      } else {
        const action = this.getAttribute("form-action");
        const type = action === "submit" || action === "reset" ? action : "button";
        this.control = make("button", { ...look, type, disabled: this.disabled || this.hasAttribute("loading") });
      }
      this.control.append(...this.childNodes);
      const icon = this.getAttribute("icon");
      const only = this.control.textContent.trim() === "" && !this.control.querySelector("img");
      if (icon) {
        const drawn = make("span", { "aria-hidden": "true" }, `${glyph(icon)} `);
        this.getAttribute("icon-align") === "right" ? this.control.append(drawn) : this.control.prepend(drawn);
      } else if (this.hasAttribute("icon-url")) {
        this.control.prepend(make("img", { src: this.getAttribute("icon-url"), alt: "" }));
      }
      if (only) this.control.setAttribute("aria-label", this.getAttribute("aria-label") || icon || this.caption);
      this.append(this.control);
    }

    focus() {
      this.control?.focus();
    }
  }

  class CrowdIconButton extends CrowdButton {
    build() {
      super.build();
      this.control.title = this.getAttribute("icon") ?? "";
    }
  }

  class CrowdFab extends CrowdButton {
    build() {
      super.build();
      const label = this.getAttribute("label");
      const title = this.getAttribute("title") || label || this.getAttribute("icon") || "Button";
      if (label) this.control.append(label);
      this.control.setAttribute("aria-label", title);
    }
  }

  class CrowdAlert extends CrowdElement {
    build() {
      const type = this.getAttribute("type") ?? "info";
      this.setAttribute("role", type === "error" || type === "warning" ? "alert" : "status");
      this.classList.add("crowd-box", `crowd-${type}`);
      if (this.hasAttribute("dismissible")) {
        this.append(button("Dismiss", () => this.remove()));
      }
    }
  }

  class CrowdToast extends CrowdElement {
    static observedAttributes = ["opened"];

    attributeChangedCallback() {
      this.show();
    }

    build() {
      this.setAttribute("role", "status");
      this.classList.add("crowd-box");
      if (this.hasAttribute("text")) this.append(this.getAttribute("text"));
      this.show();
    }

    show() {
      if (!this.prepared) return;
      this.hidden = !this.hasAttribute("opened");
      clearTimeout(this.timer);
      if (!this.hidden) {
        this.timer = setTimeout(() => this.removeAttribute("opened"), Number(this.getAttribute("duration") ?? 3000));
      }
    }
  }

  class CrowdBadge extends CrowdElement {
    build() {
      const icon = this.getAttribute("icon");
      const text = icon ? glyph(icon) : this.getAttribute("label") ?? "";
      this.prepend(make("span", { class: "crowd-badge" }, text));
    }
  }

  class CrowdCard extends CrowdElement {
    build() {
      const heading = this.getAttribute("heading");
      const image = this.getAttribute("image");
      const parts = [];
      if (image) parts.push(make("img", { src: image, alt: heading ?? "" }));
      if (heading) parts.push(make("p", { class: "crowd-heading" }, heading));
      this.classList.add("crowd-box");
      this.prepend(...parts);
    }
  }

  /* What a link opens. */
  class CrowdOpened extends CrowdElement {
    build() {
      const text = this.getAttribute("link-text") ?? this.standardText;
      const look = this.getAttribute("link-type") === "button" ? "crowd-button" : "crowd-link";
      this.dialog = dialog(text, ...this.content());
      this.opener = button(text, () => this.open(), { class: look, "aria-haspopup": "dialog" });
      this.append(this.opener, this.dialog);
    }

    open() {
      if (!this.dialog.open) this.dialog.showModal();
    }

    close() {
      this.dialog.close();
    }
  }

  class CrowdModal extends CrowdOpened {
    standardText = "Click to open modal";

    content() {
      return [...this.childNodes];
    }
  }

  class CrowdInstructions extends CrowdOpened {
    standardText = "Click for instructions";

    content() {
      const titles = {
        "short-summary": "Summary",
        "detailed-instructions": "Detailed instructions",
        "positive-example": "Good example",
        "negative-example": "Bad example",
      };
      const regions = detach(this, Object.keys(titles));
      return regions.map((region) =>
        make("section", {}, make("h3", {}, titles[region.localName]), region),
      );
    }
  }

  /* Takes regions out of an element; one that was left open may hold the others. */
  function detach(element, names) {
    const found = [...element.querySelectorAll(names.join(","))];
    for (const region of found) region.remove();
    return found;
  }

  class CrowdTab extends CrowdElement {}

  class CrowdTabs extends CrowdElement {
    build() {
      this.list = make("div", { role: "tablist", class: "crowd-tablist" });
      this.tabs = [...this.querySelectorAll("crowd-tab")].filter((tab) => tab.closest("crowd-tabs") === this);
      this.append(...this.tabs);
      this.tabs.forEach((tab, number) => {
        tab.id ||= newId();
        const header = tab.getAttribute("header") ?? `Tab ${number + 1}`;
        const opener = button(header, () => this.select(number), {
          role: "tab", id: newId(), "aria-controls": tab.id,
        });
        tab.setAttribute("role", "tabpanel");
        tab.setAttribute("aria-labelledby", opener.id);
        tab.tabIndex = 0;
        this.list.append(opener);
      });
      this.list.addEventListener("keydown", (event) => {
        const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -this.selected, End: this.tabs.length - 1 - this.selected };
        if (event.key in moves) {
          event.preventDefault();
          this.select((this.selected + moves[event.key] + this.tabs.length) % this.tabs.length);
          this.list.children[this.selected].focus();
        }
      });
      this.prepend(this.list);
      this.select(0);
    }

    select(number) {
      this.selected = number;
      this.tabs.forEach((tab, index) => {
        tab.hidden = index !== number;
        const opener = this.list.children[index];
        opener.setAttribute("aria-selected", String(index === number));
        opener.tabIndex = index === number ? 0 : -1;
      });
    }
  }

  // Widgets: an element with instructions beside it and one object as its answer

  class CrowdWidget extends CrowdElement {
    build() {
      const taken = detach(this, [...instructionRegions, "classification-target", "worker-comment"]);
      this.regions = Object.fromEntries(taken.map((region) => [region.localName, region]));
      this.main = make("div", { class: "crowd-widget-main" });
      const widget = make("div", { class: "crowd-widget" });
      const aside = this.instructions();
      if (aside) widget.append(aside);
      widget.append(this.main);
      this.draw();
      if (this.regions["worker-comment"]) this.main.append(this.comment(this.regions["worker-comment"]));
      this.prepend(widget);
      this.closest("form")?.addEventListener("reset", () => queueMicrotask(() => this.restart()));
    }

    restart() {}

    instructions() {
      const short = this.regions["short-instructions"];
      const full = this.regions["full-instructions"];
      if (!short && !full) return null;
      const name = `Instructions${this.header ? `: ${this.header}` : ""}`;
      const aside = make("div", { class: "crowd-aside", role: "region", "aria-label": name });
      if (short) aside.append(short);
      if (full) {
        const opened = dialog(full.getAttribute("header") || "Instructions", full);
        const text = "View full instructions";
        aside.append(button(text, () => opened.showModal(), { class: "crowd-link", "aria-haspopup": "dialog" }), opened);
      }
      return aside;
    }

    comment(region) {
      this.remark = control("textarea", {
        id: newId(), rows: 3, placeholder: region.getAttribute("placeholder"),
      });
      const label = make("label", { for: this.remark.id }, region.getAttribute("header") || "Comment");
      const text = region.getAttribute("link-text") || "Add a comment";
      return make("details", {}, make("summary", {}, text), region, label, this.remark);
    }

    get key() {
      return this.name || "annotatedResult";
    }

    get header() {
      return this.getAttribute("header") ?? "";
    }

    /* One control for each category, in a group named by the header. */
    group(type, labels, name = newId()) {
      const legend = make("legend", {}, this.header || "Choose");
      const set = make("fieldset", { class: "crowd-categories" }, legend);
      for (const label of labels) {
        const box = control("input", { type, name: `crowd-category ${name}` });
        box.value = label;
        set.append(make("label", { class: "crowd-choice" }, box, make("span", {}, label)));
      }
      return set;
    }

    chosen() {
      return [...this.set.querySelectorAll("input:checked")].map((box) => box.value);
    }

    answer() {
      const output = this.output();
      return output === null || this.disabled ? {} : { [this.key]: output };
    }

    get value() {
      return this.output();
    }
  }

  class CrowdClassifier extends CrowdWidget {
    draw() {
      const target = this.target();
      if (target) this.main.append(target);
      this.set = this.group("radio", choices(this.getAttribute("categories")));
      this.main.append(this.set);
    }

    target() {
      return this.regions["classification-target"];
    }

    output() {
      const [label] = this.chosen();
      if (label === undefined) return null;
      const remark = this.remark?.value ?? "";
      return remark === "" ? { label } : { label, workerComment: remark };
    }

    fault() {
      return this.chosen().length ? "" : `Choose a category: ${this.header || this.key}`;
    }
  }

  class CrowdClassifierMultiSelect extends CrowdClassifier {
    draw() {
      const target = this.target();
      if (target) this.main.append(target);
      const exclusion = exclusionOf(this.getAttribute("exclusion-category"));
      const labels = choices(this.getAttribute("categories"));
      this.set = this.group("checkbox", exclusion ? [...labels, exclusion] : labels);
      this.main.append(this.set);
      if (exclusion) {
        const boxes = [...this.set.querySelectorAll("input")];
        const none = boxes.pop();
        this.set.addEventListener("change", ({ target: changed }) => {
          if (!changed.checked) return;
          if (changed === none) for (const box of boxes) box.checked = false;
          else none.checked = false;
        });
      }
    }

    output() {
      const labels = this.chosen();
      if (!labels.length) return null;
      const remark = this.remark?.value ?? "";
      return remark === "" ? { labels } : { labels, workerComment: remark };
    }
  }

  function picture(element, name) {
    const image = make("img", { src: element.getAttribute("src") ?? "", alt: name, draggable: "false" });
    return image;
  }

  const withImage = (base) =>
    class extends base {
      target() {
        const overlay = this.getAttribute("overlay");
        const shown = make("figure", { class: "crowd-figure" }, picture(this, "Picture to classify"));
        if (overlay) shown.append(make("figcaption", {}, overlay));
        return shown;
      }
    };

  class CrowdImageClassifier extends withImage(CrowdClassifier) {}

  class CrowdImageClassifierMultiSelect extends withImage(CrowdClassifierMultiSelect) {}

  /* Labels to work with: one is the current one, whose color marks what is drawn. */
  const COLORS = ["#0b57d0", "#b3261e", "#146c2e", "#7d2ae8", "#8a4b00", "#00687a", "#a3006e", "#4f5b00", "#3c3c8c", "#5a3d2b"];

  class CrowdMarking extends CrowdWidget {
    draw() {
      this.labels = this.readLabels();
      this.list = make("ul", { class: "crowd-marks" });
      this.status = make("p", { class: "crowd-status", role: "status" });
      if (this.header) this.main.append(make("p", { class: "crowd-heading" }, this.header));
      this.drawStage();
      this.main.append(this.list, this.status);
      this.restart();
    }

    readLabels() {
      return items(this.getAttribute("labels"))
        .map((item) => ({ label: labelOf(item), title: (isRecord(item) && item.fullDisplayName) || labelOf(item) }))
        .filter(({ label }) => label !== "");
    }

    restart() {
      const initial = this.getAttribute("initial-value");
      this.marks = initial ? this.initial(literal(initial)) : [];
      this.modified = false;
      this.show();
    }

    initial(found) {
      return (Array.isArray(found) ? found : []).filter(isRecord).map((mark) => ({ ...mark }));
    }

    change(...marks) {
      this.marks = marks;
      this.modified = true;
      this.show();
      this.dispatchEvent(new Event("change", { bubbles: true }));
    }

    add(mark) {
      this.change(...this.marks, mark);
      this.status.textContent = `${mark.label} added, ${this.marks.length} in all.`;
    }

    drop(mark) {
      this.change(...this.marks.filter((other) => other !== mark));
      this.status.textContent = `${mark.label} removed, ${this.marks.length} left.`;
    }

    color(label) {
      const number = Math.max(this.labels.findIndex((one) => one.label === label), 0);
      const own = items(this.getAttribute("label-colors") ?? "");
      return own[number] || COLORS[number % COLORS.length];
    }

    remover(mark, what) {
      return button("Remove", () => this.drop(mark), { "aria-label": `Remove ${what}` });
    }
  }

  class CrowdEntityAnnotation extends CrowdMarking {
    prepare() {
      // It brings its own form.
      if (!this.prepared && this.isConnected && !this.closest("crowd-form")) {
        const form = make("crowd-form");
        this.replaceWith(form);
        form.append(this);
        form.prepare();
      }
      super.prepare();
    }

    drawStage() {
      const text = this.getAttribute("text") ?? "";
      this.paper = make("div", { class: "crowd-paper-marks", "aria-hidden": "true" });
      // A text area that can't be written in: its text can be selected by mouse and by keys.
      this.control = control("textarea", { readonly: true, class: "crowd-paper-text", "aria-label": "Text to annotate", spellcheck: "false" });
      this.control.value = text;
      this.control.defaultValue = text;
      const keys = this.labels.slice(0, 9).map((_, number) => number + 1);
      const hint = make("p", { class: "crowd-hint", id: newId() },
        `Select a part of the text, by mouse or with Shift and the arrow keys, then a label${keys.length ? ` or its number, ${keys[0]} to ${keys.at(-1)}` : ""}.`);
      this.control.setAttribute("aria-describedby", hint.id);
      const palette = make("div", { class: "crowd-palette", role: "group", "aria-label": "Labels" });
      this.labels.forEach(({ label, title }, number) => {
        const one = button(number < 9 ? `${number + 1} ${title}` : title, () => this.mark(label));
        one.style.borderColor = this.color(label);
        palette.append(one);
      });
      this.control.addEventListener("keydown", (event) => {
        const chosen = this.labels[Number(event.key) - 1];
        if (chosen && !event.ctrlKey && !event.altKey && !event.metaKey) {
          event.preventDefault();
          this.mark(chosen.label);
        }
      });
      this.main.append(hint, palette, make("div", { class: "crowd-paper" }, this.paper, this.control));
    }

    mark(label) {
      const { selectionStart: startOffset, selectionEnd: endOffset } = this.control;
      if (startOffset === endOffset) {
        this.status.textContent = "Select a part of the text first.";
        return;
      }
      this.add({ endOffset, label, startOffset });
      this.control.setSelectionRange(endOffset, endOffset);
    }

    show() {
      const text = this.control.value;
      const inOrder = [...this.marks].sort((one, other) => one.startOffset - other.startOffset);
      let at = 0;
      this.paper.replaceChildren();
      for (const { label, startOffset, endOffset } of inOrder) {
        if (startOffset < at) continue; // one over another is listed, but shown once
        const shown = make("mark", {}, text.slice(startOffset, endOffset));
        shown.style.backgroundColor = `${this.color(label)}33`;
        this.paper.append(text.slice(at, startOffset), shown);
        at = endOffset;
      }
      this.paper.append(`${text.slice(at)}\n`);
      this.list.replaceChildren(...this.marks.map((mark) => {
        const what = `${mark.label}: ${text.slice(mark.startOffset, mark.endOffset)}`;
        return make("li", {}, make("span", {}, what), this.remover(mark, what));
      }));
    }

    output() {
      return { entities: this.marks.map(({ endOffset, label, startOffset }) => ({ endOffset, label, startOffset })) };
    }
  }

  /* Labels to choose from, and a picture to draw on. */
  class CrowdDrawing extends CrowdMarking {
    drawStage() {
      this.image = picture(this, "Picture to annotate");
      this.stage = make("div", { class: "crowd-stage" }, this.image);
      const palette = this.group("radio", this.labels.map(({ label }) => label));
      palette.querySelector("legend").textContent = this.legend;
      const first = palette.querySelector("input");
      if (first) first.checked = first.defaultChecked = true;
      this.set = palette;
      this.image.addEventListener("load", () => this.show());
      this.image.addEventListener("error", () => (this.status.textContent = "The picture could not be loaded."));
      this.stage.addEventListener("pointerdown", (event) => this.start(event));
      const hint = make("p", { class: "crowd-hint", id: newId() }, this.advice);
      this.stage.setAttribute("aria-describedby", hint.id);
      this.main.append(palette, hint, make("div", { class: "crowd-tools" }, ...this.tools()), this.stage);
    }

    get size() {
      return { height: this.image.naturalHeight, width: this.image.naturalWidth };
    }

    get label() {
      return this.chosen()[0];
    }

    /* Where an event is, in pixels of the picture itself. */
    point(event) {
      const shown = this.image.getBoundingClientRect();
      const { height, width } = this.size;
      return this.inside({
        x: ((event.clientX - shown.left) / shown.width) * width,
        y: ((event.clientY - shown.top) / shown.height) * height,
      });
    }

    inside({ x, y }) {
      const { height, width } = this.size;
      const within = (value, most) => Math.round(Math.min(Math.max(value || 0, 0), most));
      return { x: within(x, width), y: within(y, height) };
    }

    /* Without a pointer: the arrow keys move a cross over the picture, the space bar is a click. */
    useKeys() {
      this.stage.tabIndex = 0;
      this.stage.setAttribute("role", "group");
      this.stage.setAttribute("aria-label", "Picture to draw on");
      this.cross = make("div", { class: "crowd-cross", "aria-hidden": "true", hidden: true });
      this.stage.append(this.cross);
      this.stage.addEventListener("keydown", (event) => this.keyDown(event));
      this.stage.addEventListener("blur", () => (this.cross.hidden = true));
    }

    keyDown(event) {
      const { height, width } = this.size;
      const step = event.shiftKey ? Math.max(Math.round(width / 20), 1) : 1;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      const [right, down] = moves[event.key] ?? [0, 0];
      if (!width || event.ctrlKey || event.altKey || event.metaKey) return;
      this.cursor ??= this.inside({ x: width / 2, y: height / 2 });
      if (event.key in moves) this.cursor = this.inside({ x: this.cursor.x + right, y: this.cursor.y + down });
      else if (event.key === " ") this.tap(this.cursor);
      else if (!this.press(event.key)) return;
      event.preventDefault();
      this.cross.hidden = false;
      this.cross.style.left = `${(100 * this.cursor.x) / width}%`;
      this.cross.style.top = `${(100 * this.cursor.y) / height}%`;
      if (event.key in moves) this.status.textContent = `${this.cursor.x}, ${this.cursor.y}`;
    }

    /* Another key; whether it means something. */
    press() {
      return false;
    }

    tool(text, action, name) {
      return button(text, action, { "data-crowd-tool": name });
    }
  }

  class CrowdBoundingBox extends CrowdDrawing {
    legend = "Label of the next box";
    advice = "Draw a box on the picture, or add one and set its numbers.";

    tools() {
      return [this.tool("Add a box", () => this.addInTheMiddle(), "add")];
    }

    start(event) {
      if (event.button !== 0 || !this.size.width || !this.label) return;
      event.preventDefault();
      const from = this.point(event);
      const label = this.label;
      const sketch = make("div", { class: "crowd-drawn" });
      this.stage.append(sketch);
      this.stage.setPointerCapture(event.pointerId);
      const box = (to) => ({
        height: Math.abs(to.y - from.y), label, left: Math.min(from.x, to.x),
        top: Math.min(from.y, to.y), width: Math.abs(to.x - from.x),
      });
      const move = (moved) => this.place(sketch, box(this.point(moved)));
      const end = (ended) => {
        this.stage.removeEventListener("pointermove", move);
        sketch.remove();
        const made = box(this.point(ended));
        // A click is no box.
        if (ended.type === "pointerup" && made.width > 2 && made.height > 2) this.add(made);
      };
      this.stage.addEventListener("pointermove", move);
      for (const type of ["pointerup", "pointercancel"]) this.stage.addEventListener(type, end, { once: true });
    }

    addInTheMiddle() {
      const { height, width } = this.size;
      if (!width || !this.label) return;
      this.add({
        height: Math.round(height / 2), label: this.label, left: Math.round(width / 4),
        top: Math.round(height / 4), width: Math.round(width / 2),
      });
      const first = this.list.lastElementChild.querySelector("input");
      first.focus();
      first.select();
    }

    place(drawn, box) {
      const { height, width } = this.size;
      if (!width) return;
      const share = (part, whole) => `${(100 * part) / whole}%`;
      drawn.style.left = share(box.left, width);
      drawn.style.top = share(box.top, height);
      drawn.style.width = share(box.width, width);
      drawn.style.height = share(box.height, height);
      drawn.style.borderColor = this.color(box.label);
    }

    show() {
      for (const drawn of this.stage.querySelectorAll(".crowd-drawn")) drawn.remove();
      for (const box of this.marks) {
        const drawn = make("div", { class: "crowd-drawn" }, make("span", { style: `background:${this.color(box.label)}` }, box.label));
        this.stage.append(drawn);
        this.place(drawn, box);
      }
      this.list.replaceChildren(...this.marks.map((box, number) => this.row(box, number + 1)));
    }

    row(box, number) {
      const what = `box ${number}, ${box.label}`;
      const row = make("li", {}, make("span", {}, `${number} ${box.label}`));
      for (const name of ["left", "top", "width", "height"]) {
        const input = control("input", { type: "number", min: 0, "aria-label": `${name} of ${what}` });
        input.value = box[name];
        input.addEventListener("change", () => {
          box[name] = Math.round(this.within(box, name, Number(input.value)));
          input.value = box[name];
          this.modified = true;
          this.place(this.stage.querySelectorAll(".crowd-drawn")[number - 1], box);
        });
        row.append(make("label", {}, `${name} `, input));
      }
      row.append(this.remover(box, what));
      return row;
    }

    within(box, name, value) {
      const { height, width } = this.size;
      const most = { left: width - box.width, top: height - box.height, width: width - box.left, height: height - box.top };
      return Math.min(Math.max(value || 0, 0), most[name]);
    }

    output() {
      const output = {
        boundingBoxes: this.marks.map(({ height, label, left, top, width }) => ({ height, label, left, top, width })),
        inputImageProperties: this.size,
      };
      if (this.hasAttribute("initial-value")) output.initialValueModified = this.modified;
      return output;
    }
  }

  const NAMESPACE = "http://www.w3.org/2000/svg";

  function shape(tag, attributes) {
    const made = document.createElementNS(NAMESPACE, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  /* How near a click must be to a point, in pixels of the screen, to mean that point. */
  const NEAR = 8;

  /* Shapes made of points: a mark holds its label and its vertices. */
  class CrowdOutline extends CrowdDrawing {
    get legend() {
      return `Label of the next ${this.one}`;
    }

    get advice() {
      return `${this.how} Points can be dragged. Or add a ${this.one} and set its numbers. With the keys: the arrow` +
        ` keys move a cross (with Shift faster), the space bar sets a point${this.most > 2 ? ", Enter finishes" : ""}.`;
    }

    drawStage() {
      this.draft = [];
      super.drawStage();
      this.stage.classList.add("crowd-outlines");
      this.useKeys();
      this.layer = shape("svg", { class: "crowd-shapes", "aria-hidden": "true", preserveAspectRatio: "none" });
      this.stage.append(this.layer);
      this.stage.addEventListener("pointermove", (event) => {
        if (this.draft.length) this.sketch(this.point(event));
      });
      this.stage.addEventListener("dblclick", () => this.finish());
    }

    tools() {
      const add = this.tool(`Add a ${this.one}`, () => this.addInTheMiddle(), "add");
      if (this.most === 1) return [add];
      const undo = this.tool("Undo the last point", () => this.undo(), "undo");
      if (this.most === 2) return [add, undo];
      return [add, this.tool(`Finish the ${this.one}`, () => this.finish(), "finish"), undo];
    }

    initial(found) {
      const marks = isRecord(found) ? found[this.plural] : found;
      return (Array.isArray(marks) ? marks : [])
        .filter((mark) => isRecord(mark) && this.labels.some(({ label }) => label === mark.label))
        .map((mark) => ({ label: mark.label, vertices: this.verticesOf(mark) }));
    }

    verticesOf(mark) {
      return (Array.isArray(mark.vertices) ? mark.vertices : []).map(({ x, y }) => ({ x: Number(x), y: Number(y) }));
    }

    restart() {
      this.draft = [];
      super.restart();
    }

    /* Whether a point is meant by a click, however large the picture is shown. */
    near(one, other) {
      const scale = this.image.getBoundingClientRect().width / this.size.width;
      return Math.hypot(one.x - other.x, one.y - other.y) * scale <= NEAR;
    }

    start(event) {
      if (event.button !== 0 || !this.size.width) return;
      event.preventDefault();
      this.stage.focus({ preventScroll: true });
      const at = this.point(event);
      const held = this.draft.length ? undefined : this.marks.flatMap((mark) => mark.vertices).find((one) => this.near(one, at));
      if (held) {
        this.follow(event, (to) => Object.assign(held, to), () => this.change(...this.marks));
      } else if (this.tap(at) && this.most === 2 && this.draft.length === 1) {
        // A line may be drawn in one movement, too.
        this.follow(event, (to) => this.sketch(to), (to) => this.near(at, to) || this.tap(to));
      }
    }

    follow(event, moving, ended) {
      this.stage.setPointerCapture(event.pointerId);
      const move = (moved) => {
        moving(this.point(moved));
        this.paint();
      };
      const end = (last) => {
        this.stage.removeEventListener("pointermove", move);
        if (last.type === "pointerup") ended(this.point(last));
        else this.show();
      };
      this.stage.addEventListener("pointermove", move);
      for (const type of ["pointerup", "pointercancel"]) this.stage.addEventListener(type, end, { once: true });
    }

    /* Set a point; whether it is a new one. */
    tap(at) {
      const [first, last] = [this.draft[0], this.draft.at(-1)];
      if (!this.label) return false;
      if (this.closed && this.draft.length >= this.fewest && this.near(first, at)) {
        this.finish();
        return false;
      }
      if (last && this.near(last, at)) return false;
      this.draft.push(at);
      if (this.draft.length >= this.most) this.finish();
      else {
        this.status.textContent = `Point ${this.draft.length} of a ${this.one}, at ${at.x}, ${at.y}.`;
        this.paint();
      }
      return true;
    }

    press(key) {
      const actions = { Enter: () => this.finish(), Escape: () => this.discard(), Backspace: () => this.undo() };
      if (!(key in actions) || !this.draft.length) return false;
      actions[key]();
      return true;
    }

    finish() {
      if (!this.draft.length) return;
      if (this.draft.length < this.fewest) {
        this.status.textContent = `A ${this.one} has at least ${this.fewest} points; this one has ${this.draft.length}.`;
        return;
      }
      const vertices = this.draft;
      this.draft = [];
      this.add({ label: this.label, vertices });
    }

    undo() {
      this.draft.pop();
      this.status.textContent = `The last point was taken away, ${this.draft.length} left.`;
      this.paint();
    }

    discard() {
      this.draft = [];
      this.status.textContent = `The ${this.one} was not finished.`;
      this.paint();
    }

    addInTheMiddle() {
      const { height, width } = this.size;
      if (!width || !this.label) return;
      this.add({ label: this.label, vertices: this.middle.map(([x, y]) => this.inside({ x: x * width, y: y * height })) });
      this.focusOn(this.list.lastElementChild.querySelector("input"));
    }

    focusOn(input) {
      input.focus();
      input.select();
    }

    show() {
      this.paint();
      this.list.replaceChildren(...this.marks.map((mark, number) => this.row(mark, number + 1)));
    }

    sketch(to) {
      this.paint([...this.draft, to]);
    }

    paint(draft = this.draft) {
      const { height, width } = this.size;
      if (!this.layer || !width) return;
      this.layer.setAttribute("viewBox", `0 0 ${width} ${height}`);
      const drawn = this.marks.flatMap(({ label, vertices }) => this.drawn(vertices, this.color(label), this.closed));
      const begun = draft.length ? this.drawn(draft, this.color(this.label), false) : [];
      this.layer.replaceChildren(...drawn, ...begun);
      for (const name of this.stage.querySelectorAll(".crowd-name")) name.remove();
      for (const { label, vertices: [first] } of this.marks) {
        if (!first) continue;
        const name = make("span", { class: "crowd-name", "aria-hidden": "true" }, label);
        name.style.background = this.color(label);
        name.style.left = `${(100 * first.x) / width}%`;
        name.style.top = `${(100 * first.y) / height}%`;
        this.stage.append(name);
      }
    }

    drawn(vertices, color, closed) {
      const points = vertices.map(({ x, y }) => `${x},${y}`).join(" ");
      const line = shape(closed ? "polygon" : "polyline", { points, stroke: color, fill: closed ? color : "none" });
      const dots = vertices.map(({ x, y }) => shape("path", { class: "crowd-dot", d: `M${x} ${y}h0`, stroke: color }));
      return [line, ...dots];
    }

    row(mark, number) {
      const what = `${this.one} ${number}, ${mark.label}`;
      const row = make("li", {}, make("span", {}, `${number} ${mark.label}`));
      mark.vertices.forEach((vertex, index) => row.append(this.pointOf(mark, vertex, index, what)));
      if (mark.vertices.length < this.most) {
        const more = this.tool("Add a point", () => this.addPoint(mark, number), "add-point");
        more.setAttribute("aria-label", `Add a point to ${what}`);
        row.append(more);
      }
      row.append(this.remover(mark, what));
      return row;
    }

    pointOf(mark, vertex, index, what) {
      const where = this.most === 1 ? what : `point ${index + 1} of ${what}`;
      const group = make("span", { class: "crowd-point" });
      for (const name of ["x", "y"]) {
        const input = control("input", { type: "number", min: 0, "aria-label": `${name} of ${where}` });
        input.value = vertex[name];
        input.addEventListener("change", () => {
          Object.assign(vertex, this.inside({ ...vertex, [name]: Number(input.value) }));
          input.value = vertex[name];
          this.modified = true;
          this.paint();
        });
        group.append(make("label", {}, `${name} `, input));
      }
      if (mark.vertices.length > this.fewest) {
        const drop = () => {
          mark.vertices.splice(index, 1);
          this.change(...this.marks);
        };
        group.append(button("×", drop, { "aria-label": `Remove ${where}`, "data-crowd-tool": "remove-point" }));
      }
      return group;
    }

    addPoint(mark, number) {
      const [last, first] = [mark.vertices.at(-1), mark.vertices[0]];
      const to = this.closed ? first : { x: last.x + this.size.width / 10, y: last.y };
      mark.vertices.push(this.inside({ x: (last.x + to.x) / 2, y: (last.y + to.y) / 2 }));
      this.change(...this.marks);
      this.focusOn([...this.list.children[number - 1].querySelectorAll("input")].at(-2));
    }

    fault() {
      return this.draft.length ? `Finish the ${this.one} that you began, or undo its points.` : "";
    }

    output() {
      const output = { [this.plural]: this.marks.map((mark) => this.posted(mark)), inputImageProperties: this.size };
      if (this.hasAttribute("initial-value")) output.initialValueModified = this.modified;
      return output;
    }

    posted({ label, vertices }) {
      return { label, vertices: vertices.map(({ x, y }) => ({ x, y })) };
    }
  }

  class CrowdPolygon extends CrowdOutline {
    one = "polygon";
    plural = "polygons";
    fewest = 3;
    most = Infinity;
    closed = true;
    middle = [[0.5, 0.25], [0.75, 0.75], [0.25, 0.75]];
    how = "Click on the corners of a polygon, and at last on the first one again, or twice.";
  }

  class CrowdPolyline extends CrowdOutline {
    one = "polyline";
    plural = "polylines";
    fewest = 2;
    most = Infinity;
    closed = false;
    middle = [[0.25, 0.5], [0.75, 0.5]];
    how = "Click on the points of a polyline, on the last one twice.";
  }

  class CrowdLine extends CrowdOutline {
    one = "line";
    plural = "lines";
    fewest = 2;
    most = 2;
    closed = false;
    middle = [[0.25, 0.5], [0.75, 0.5]];
    how = "Draw a line on the picture, or click on its ends.";
  }

  class CrowdKeypoint extends CrowdOutline {
    one = "keypoint";
    plural = "keypoints";
    fewest = 1;
    most = 1;
    closed = false;
    middle = [[0.5, 0.5]];
    how = "Click on the picture.";

    verticesOf(mark) {
      return [{ x: Number(mark.x), y: Number(mark.y) }];
    }

    posted({ label, vertices: [{ x, y }] }) {
      return { label, x, y };
    }
  }

  /* A mask painted over the picture, whose colors say what is where. What nobody painted is
     transparent. */
  class CrowdMask extends CrowdDrawing {
    advice = "Paint over the picture with the brush. With the keys: the arrow keys move a cross (with Shift faster), the space bar paints there.";

    drawStage() {
      this.canvas = make("canvas", { class: "crowd-mask", "aria-hidden": "true", width: 0, height: 0 });
      this.pixels = this.canvas.getContext("2d", { willReadFrequently: true });
      this.before = [];
      super.drawStage();
      this.image.addEventListener("load", () => this.restart());
      this.stage.append(this.canvas);
      this.useKeys();
    }

    tools() {
      this.brush = control("input", { type: "range", min: 1, max: 100, value: 20 });
      this.eraser = control("input", { type: "checkbox" });
      return [
        make("label", {}, "Brush ", this.brush),
        make("label", {}, this.eraser, " Erase"),
        this.tool("Undo", () => this.undo(), "undo"),
        this.tool("Clear", () => this.clear(), "clear"),
      ];
    }

    initial(found) {
      this.given = isRecord(found) ? found : {};
      return [];
    }

    restart() {
      this.given = {};
      super.restart();
      const { height, width } = this.size;
      Object.assign(this.canvas, { height, width });
      this.before = [];
      if (!this.given.src || !width) return;
      // Only what another server lets be read can be posted again.
      const overlay = make("img", { crossorigin: "anonymous", src: this.given.src });
      overlay.addEventListener("load", () => this.pixels.drawImage(overlay, 0, 0, width, height));
      overlay.addEventListener("error", () => (this.status.textContent = "The mask to begin with could not be loaded."));
    }

    /* Of what the brush paints. */
    get paint() {
      return this.color(this.label);
    }

    get radius() {
      return Math.max(Math.round((Number(this.brush.value) * this.size.width) / 400), 1);
    }

    start(event) {
      if (event.button !== 0 || !this.size.width || !this.ready()) return;
      event.preventDefault();
      this.stage.focus({ preventScroll: true });
      this.stage.setPointerCapture(event.pointerId);
      this.remember();
      let last = this.point(event);
      this.stroke(last, last);
      const move = (moved) => {
        const to = this.point(moved);
        this.stroke(last, to);
        last = to;
      };
      const end = () => {
        this.stage.removeEventListener("pointermove", move);
        this.changed();
      };
      this.stage.addEventListener("pointermove", move);
      for (const type of ["pointerup", "pointercancel"]) this.stage.addEventListener(type, end, { once: true });
    }

    tap(at) {
      if (!this.ready()) return;
      this.remember();
      this.stroke(at, at);
      this.changed();
    }

    ready() {
      return Boolean(this.label) || this.eraser.checked;
    }

    stroke(from, to) {
      const steps = Math.max(Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(this.radius / 2, 1)), 1);
      for (let step = 0; step <= steps; step += 1) {
        this.stamp(
          Math.round(from.x + ((to.x - from.x) * step) / steps),
          Math.round(from.y + ((to.y - from.y) * step) / steps),
        );
      }
    }

    /* A disc of whole pixels: a rim between two colors would be a color that means nothing. */
    stamp(x, y) {
      const radius = this.radius;
      this.pixels.fillStyle = this.paint;
      for (let down = -radius; down <= radius; down += 1) {
        const half = Math.floor(Math.sqrt(radius * radius - down * down));
        const line = [x - half, y + down, 2 * half + 1, 1];
        if (this.eraser.checked) this.pixels.clearRect(...line);
        else this.pixels.fillRect(...line);
      }
    }

    remember() {
      const { height, width } = this.canvas;
      this.before = [...this.before.slice(-9), this.pixels.getImageData(0, 0, width, height)];
    }

    undo() {
      const last = this.before.pop();
      if (last) this.pixels.putImageData(last, 0, 0);
      this.changed(last ? "The last stroke was taken away." : "There is nothing to undo.");
    }

    clear() {
      const { height, width } = this.canvas;
      if (!width) return;
      this.remember();
      this.pixels.clearRect(0, 0, width, height);
      this.changed("The mask is empty.");
    }

    changed(what = `${this.eraser.checked ? "Erased" : `Painted: ${this.painted}`}.`) {
      this.modified = true;
      this.status.textContent = what;
      this.dispatchEvent(new Event("change", { bubbles: true }));
    }

    get painted() {
      return this.label;
    }

    show() {}

    output() {
      if (!this.size.width) return null;
      const output = { inputImageProperties: this.size, labeledImage: { pngImageData: this.png() } };
      if (this.hasAttribute("initial-value")) output.initialValueModified = this.modified;
      return { ...output, ...this.meaning() };
    }

    png() {
      return this.canvas.toDataURL("image/png").split(",")[1];
    }
  }

  class CrowdSemanticSegmentation extends CrowdMask {
    legend = "Label to paint";

    color(label) {
      return this.given?.labelMappings?.[label]?.color ?? super.color(label);
    }

    meaning() {
      return {
        labelMappings: Object.fromEntries(this.labels.map(({ label }) => [label, { color: this.color(label) }])),
      };
    }
  }

  /* Each thing that is painted has a color of its own; a label may have several. */
  class CrowdInstanceSegmentation extends CrowdMask {
    legend = "Label of the next instance";

    tools() {
      return [this.tool("Add an instance", () => this.addInstance(), "add"), ...super.tools()];
    }

    restart() {
      super.restart();
      this.current = undefined;
      this.show();
    }

    addInstance() {
      if (!this.label) return;
      const number = this.marks.length;
      // A color of its own, also when those that are easy to tell apart are used up.
      const color = COLORS[number] ?? `#${((number * 2654435761) % 0x1000000 | 0).toString(16).padStart(6, "0")}`;
      this.current = { color, label: this.label };
      this.add(this.current);
    }

    get paint() {
      return this.current?.color ?? COLORS[0];
    }

    get painted() {
      return `${this.marks.indexOf(this.current) + 1} ${this.current.label}`;
    }

    ready() {
      if (!this.current && !this.eraser.checked) this.addInstance();
      return Boolean(this.current) || this.eraser.checked;
    }

    drop(mark) {
      this.remember();
      this.wipe(mark.color);
      if (this.current === mark) this.current = undefined;
      super.drop(mark);
    }

    wipe(color) {
      const { height, width } = this.canvas;
      if (!width) return;
      const painting = this.pixels.getImageData(0, 0, width, height);
      const wanted = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
      for (let at = 0; at < painting.data.length; at += 4) {
        if (wanted.every((part, index) => painting.data[at + index] === part)) painting.data.fill(0, at, at + 4);
      }
      this.pixels.putImageData(painting, 0, 0);
    }

    show() {
      const name = `crowd-instance ${(this.rows ??= newId())}`;
      this.list.replaceChildren(...this.marks.map((mark, index) => {
        const what = `${index + 1} ${mark.label}`;
        const choose = control("input", { type: "radio", name, "aria-label": `Paint ${what}` });
        choose.checked = mark === this.current;
        choose.addEventListener("change", () => (this.current = mark));
        const swatch = make("span", { class: "crowd-swatch", "aria-hidden": "true" });
        swatch.style.background = mark.color;
        return make("li", {}, make("label", { class: "crowd-choice" }, choose, swatch, make("span", {}, what)), this.remover(mark, what));
      }));
    }

    meaning() {
      return { instances: this.marks.map(({ color, label }) => ({ color, label })) };
    }
  }

  /* A crowd element that is not drawn here: a box that says so, instead of nothing. */
  class CrowdUnknown extends CrowdElement {
    build() {
      const named = this.name ? ` “${this.name}”` : "";
      this.classList.add("crowd-box", "crowd-unknown");
      this.prepend(make("p", { role: "note" }, `<${this.localName}>${named} is not drawn here; it adds no answer.`));
    }
  }

  const ELEMENTS = {
    "crowd-form": CrowdForm,
    "crowd-input": CrowdInput,
    "crowd-text-area": CrowdTextArea,
    "crowd-checkbox": CrowdCheckbox,
    "crowd-toggle-button": CrowdToggleButton,
    "crowd-radio-group": CrowdRadioGroup,
    "crowd-radio-button": CrowdRadioButton,
    "crowd-slider": CrowdSlider,
    "crowd-button": CrowdButton,
    "crowd-icon-button": CrowdIconButton,
    "crowd-fab": CrowdFab,
    "crowd-alert": CrowdAlert,
    "crowd-toast": CrowdToast,
    "crowd-badge": CrowdBadge,
    "crowd-card": CrowdCard,
    "crowd-modal": CrowdModal,
    "crowd-instructions": CrowdInstructions,
    "crowd-tabs": CrowdTabs,
    "crowd-tab": CrowdTab,
    "crowd-classifier": CrowdClassifier,
    "crowd-classifier-multi-select": CrowdClassifierMultiSelect,
    "crowd-image-classifier": CrowdImageClassifier,
    "crowd-image-classifier-multi-select": CrowdImageClassifierMultiSelect,
    "crowd-entity-annotation": CrowdEntityAnnotation,
    "crowd-bounding-box": CrowdBoundingBox,
    "crowd-polygon": CrowdPolygon,
    "crowd-polyline": CrowdPolyline,
    "crowd-line": CrowdLine,
    "crowd-keypoint": CrowdKeypoint,
    "crowd-semantic-segmentation": CrowdSemanticSegmentation,
    "crowd-instance-segmentation": CrowdInstanceSegmentation,
  };

  const STYLE = `
    crowd-form, crowd-instructions, crowd-input, crowd-text-area, crowd-checkbox, crowd-toggle-button,
    crowd-radio-group, crowd-radio-button, crowd-slider, crowd-tabs, crowd-tab, crowd-card, crowd-modal,
    crowd-alert, crowd-classifier, crowd-classifier-multi-select, crowd-image-classifier,
    crowd-image-classifier-multi-select, crowd-entity-annotation, crowd-bounding-box, crowd-polygon,
    crowd-polyline, crowd-line, crowd-keypoint, crowd-semantic-segmentation, crowd-instance-segmentation,
    short-summary, detailed-instructions, positive-example, negative-example, short-instructions,
    full-instructions, classification-target, worker-comment { display: block; }
    crowd-form { font-family: system-ui, sans-serif; line-height: 1.5; }
    crowd-tab[hidden], crowd-toast[hidden] { display: none; }
    .crowd-field { display: block; margin: .5rem 0; max-width: 40rem; }
    .crowd-field > label { display: block; font-weight: 600; }
    .crowd-field > input:not([type=range]), .crowd-field > textarea, .crowd-widget-main details textarea {
      box-sizing: border-box; width: 100%; font: inherit; padding: .4rem .5rem;
      border: 1px solid #767676; border-radius: 4px; }
    .crowd-field > input[type=number] { width: auto; }
    .crowd-slider { display: flex; gap: .75rem; align-items: center; }
    .crowd-slider > input[type=range] { flex: 1; }
    .crowd-choice { display: flex; gap: .5rem; align-items: baseline; padding: .2rem 0; cursor: pointer; }
    .crowd-choice input { flex: none; }
    .crowd-fault { display: block; color: #a4161a; font-size: .9em; }
    .crowd-counter, .crowd-hint { font-size: .9em; color: #555; }
    .crowd-button, .crowd-plain { font: inherit; padding: .4rem .9rem; border: 1px solid #767676; border-radius: 4px;
      background: #f4f4f4; color: #1a1a1a; cursor: pointer; text-decoration: none; display: inline-block; }
    .crowd-button.crowd-primary { background: #0b57d0; border-color: #0b57d0; color: #fff; }
    .crowd-link, .crowd-button.crowd-link { background: none; border: 0; padding: .2rem 0; font: inherit;
      color: #0b57d0; text-decoration: underline; cursor: pointer; }
    .crowd-button:disabled { opacity: .6; cursor: not-allowed; }
    .crowd-box { display: block; border: 1px solid #c4c4c4; border-radius: 6px; padding: .75rem 1rem; margin: .75rem 0; }
    .crowd-box > .crowd-plain { margin-left: .75rem; }
    .crowd-box > img { max-width: 100%; }
    .crowd-error, .crowd-warning { border-color: #a4161a; background: #fff4f4; color: #1a1a1a; }
    .crowd-success { border-color: #146c2e; background: #f1faf3; color: #1a1a1a; }
    .crowd-info { border-color: #0b57d0; background: #f2f6fe; color: #1a1a1a; }
    .crowd-unknown { border-style: dashed; border-color: #8a4b00; }
    .crowd-badge { display: inline-block; min-width: 1.2em; padding: 0 .4em; border-radius: 1em; text-align: center;
      background: #b3261e; color: #fff; font-size: .85em; }
    .crowd-heading, .crowd-widget legend { font-weight: 600; font-size: 1.05em; }
    .crowd-dialog { max-width: min(44rem, 90vw); border: 1px solid #767676; border-radius: 8px; color: #1a1a1a; background: #fff; }
    .crowd-dialog::backdrop { background: rgb(0 0 0 / .5); }
    .crowd-dialog-head { display: flex; gap: 1rem; justify-content: space-between; align-items: start; }
    .crowd-dialog-head h2 { margin: 0; font-size: 1.2rem; }
    .crowd-tablist { display: flex; flex-wrap: wrap; gap: .25rem; border-bottom: 1px solid #767676; margin-bottom: .75rem; }
    .crowd-tablist [aria-selected=true] { background: #0b57d0; color: #fff; }
    .crowd-widget { display: flex; flex-wrap: wrap; gap: 1.25rem; margin: .75rem 0; }
    .crowd-aside { flex: 1 1 14rem; max-width: 22rem; border-right: 1px solid #c4c4c4; padding-right: 1rem; }
    .crowd-widget-main { flex: 3 1 20rem; min-width: 0; }
    .crowd-categories { border: 1px solid #c4c4c4; border-radius: 6px; margin: .75rem 0; padding: .5rem 1rem; }
    .crowd-figure { margin: 0; } .crowd-figure img { max-width: 100%; }
    .crowd-palette { display: flex; flex-wrap: wrap; gap: .4rem; margin: .5rem 0; }
    .crowd-palette button { border-width: 2px; }
    .crowd-paper { position: relative; border: 1px solid #767676; border-radius: 4px; min-height: 6rem; background: #fff; color: #1a1a1a; }
    .crowd-paper-marks, .crowd-paper-text { box-sizing: border-box; width: 100%; margin: 0; padding: .6rem; border: 0; font: inherit; line-height: 1.6;
      white-space: pre-wrap; overflow-wrap: break-word; letter-spacing: inherit; }
    .crowd-paper-marks { color: transparent; min-height: 6rem; } .crowd-paper-marks mark { color: transparent; border-radius: 2px; }
    .crowd-paper-text { position: absolute; inset: 0; height: 100%; background: transparent; color: inherit; resize: none; overflow: hidden; }
    .crowd-marks { padding: 0; list-style: none; } .crowd-marks li { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin: .3rem 0; }
    .crowd-marks input[type=number] { width: 5rem; font: inherit; }
    .crowd-stage { position: relative; display: inline-block; max-width: 100%; cursor: crosshair; touch-action: none; user-select: none; margin-top: .5rem; }
    .crowd-stage img { display: block; max-width: 100%; }
    .crowd-drawn { position: absolute; box-sizing: border-box; border: 2px solid #0b57d0; pointer-events: none; }
    .crowd-drawn span { position: absolute; top: 0; left: 0; color: #fff; font-size: .8rem; line-height: 1.2; padding: 0 .3rem; }
    .crowd-shapes { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; overflow: visible; }
    .crowd-shapes > * { vector-effect: non-scaling-stroke; stroke-width: 2px; fill-opacity: .25; }
    .crowd-shapes > .crowd-dot { stroke-width: 9px; stroke-linecap: round; }
    .crowd-name { position: absolute; color: #fff; font-size: .8rem; line-height: 1.2; padding: 0 .3rem; pointer-events: none; }
    .crowd-cross { position: absolute; width: 21px; height: 21px; margin: -10px 0 0 -10px; pointer-events: none;
      background: linear-gradient(#000, #000) center / 1px 100% no-repeat, linear-gradient(#000, #000) center / 100% 1px no-repeat;
      outline: 1px solid #fff; border-radius: 50%; }
    .crowd-cross[hidden] { display: none; }
    .crowd-mask { position: absolute; inset: 0; width: 100%; height: 100%; opacity: .6; pointer-events: none; image-rendering: pixelated; }
    .crowd-swatch { display: inline-block; width: 1em; height: 1em; border-radius: 2px; }
    .crowd-point { display: inline-flex; gap: .3rem; align-items: center; }
    .crowd-tools { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
    .crowd-status { min-height: 1.5em; margin: .3rem 0; }
    :is(.crowd-button, .crowd-plain, .crowd-link, [data-crowd-control], .crowd-tablist button, .crowd-stage):focus-visible { outline: 3px solid #0b57d0; outline-offset: 2px; }
  `;

  for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);

  function nameUnknown() {
    for (const { localName } of document.querySelectorAll(":not(:defined)")) {
      if (localName.startsWith("crowd-") && !customElements.get(localName)) {
        customElements.define(localName, class extends CrowdUnknown {});
      }
    }
  }

  function start() {
    // Before the page's own style, which is to win.
    document.head.prepend(make("style", {}, STYLE));
    nameUnknown();
    ready = true;
    for (const element of document.querySelectorAll("*")) {
      if (element instanceof CrowdElement) element.prepare();
    }
    // Behind whatever else waits for the same moment, so that all who listen are there.
    setTimeout(() => document.dispatchEvent(new Event("all-crowd-elements-ready")), 0);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start, { once: true });
  else start();
})();
