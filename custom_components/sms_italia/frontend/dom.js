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

/** Return an icon that screen readers skip: a word stands beside it. */
export const icon = (name) =>
  element("ha-icon", { icon: name, "aria-hidden": "true" });
