// Elements are reused and touched only where they change: the page can stay open for months, and an
// untouched element costs the browser nothing. Text is only ever set as text.

export const root = document.documentElement;
export const find = (selector) => document.querySelector(selector);

export function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function dress(target, name) {
  if (target.className !== name) target.className = name;
}

// Sets a variable of the style sheet.
export function style(target, name, value) {
  const text = String(value);
  if (target.style.getPropertyValue(name) !== text) target.style.setProperty(name, text);
}

// Makes the children of a list those of `items`, in order, reusing elements by key.
export function reconcile(list, items, make, draw) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const child = old.get(item.key) ?? make(item);
    old.delete(item.key);
    child.dataset.key = item.key;
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
    draw?.(child, item);
  });
  while (list.children.length > items.length) list.lastChild.remove();
}

// One pixel of a screen of 1920 by 1080, in pixels of this one.
export const unit = () => parseFloat(getComputedStyle(document.body).fontSize) / 24;

export const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
