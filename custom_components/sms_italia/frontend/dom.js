/** Builds elements. Whatever is shown becomes a text node: nothing is read as HTML. */

/** Return an element with attributes, listeners (`onclick`, …) and children. */
export const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      made.addEventListener(name.slice(2), value);
    } else {
      setAttribute(made, name, value);
    }
  }
  made.append(...children);
  return made;
};

/** Set an attribute; true is an empty one, and without a value there is none. */
export const setAttribute = (target, name, value) => {
  if (value === undefined || value === null || value === false) {
    target.removeAttribute(name);
  } else if (target.getAttribute(name) !== String(value)) {
    target.setAttribute(name, value === true ? "" : value);
  }
};

/** Show a text, and hide the element that has none. */
export const setText = (target, text) => {
  if (target.textContent !== text) {
    target.textContent = text;
  }
  target.hidden = text === "";
};

/** Return a place whose texts screen readers say when they come; empty at first. */
export const live = (role, ...texts) => {
  texts.forEach((text) => setText(text, ""));
  return element("div", { class: "live", role }, ...texts);
};

/** Let a button wait for its answer; if it were disabled, it would lose the focus. */
export const setBusy = (button, busy) =>
  setAttribute(button, "aria-disabled", busy && "true");

export const isBusy = (button) => button.hasAttribute("aria-disabled");

/** Show just these children, in their order; one that stays is not moved. */
export const showChildren = (parent, children) => {
  const stay = new Set(children);
  for (const child of [...parent.children]) {
    if (!stay.has(child)) {
      child.remove();
    }
  }
  children.forEach((child, index) => {
    const place = parent.children[index];
    if (place !== child) {
      parent.insertBefore(child, place ?? null);
    }
  });
};

/**
 * Make changes below a root without losing the place of who uses the keyboard.
 *
 * An element that is still there keeps the focus. After one that went, the row that it
 * was in has it, or else the element that `place` returns.
 */
export const keepFocus = (root, changes, place) => {
  const before = root.activeElement;
  const row = before?.closest("li[tabindex]");
  changes();
  if (!before) {
    return;
  }
  const next = [before, row, place()].find((one) => one && isShown(one));
  if (next !== root.activeElement) {
    next?.focus({ preventScroll: true });
  }
};

const isShown = (one) => one.isConnected && !one.closest("[hidden]");

/** Return an icon that screen readers skip: a word stands beside it. */
export const icon = (name) =>
  element("ha-icon", { icon: name, "aria-hidden": "true" });
