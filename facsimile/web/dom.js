// Elements from text that is never taken for markup.

export const find = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Show one sentence about what went wrong; none hides the last one. */
export function tell(error) {
  const place = find("error");
  place.hidden = !error;
  place.textContent = error ? (error.message ?? String(error)) : "";
  if (error) place.scrollIntoView({ block: "nearest" });
}

/** Run what a person started, and tell them if it fails. */
export async function attempt(action) {
  tell(null);
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") tell(error);
    return undefined;
  }
}

/** Lines or a single line of key=value as pairs. */
export function pairs(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
    const at = line.indexOf("=");
    if (at < 1) throw new Error(`Write key=value, not “${line}”.`);
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
}
