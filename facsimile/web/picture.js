// A picture with what matched drawn on it.

import { shown } from "./http.js";
import { make } from "./dom.js";
import { outline } from "./pair.js";

/** A frame around a picture; `area` are corners in shares of its width and height. */
export function framed({ source, alt, width, height, area }) {
  const image = make("img", { alt, width, height, loading: "lazy", decoding: "async" });
  show(image, source);
  return make("div", { class: "frame" }, image, area && outline(area, width, height));
}

export async function show(image, source) {
  const address = await shown(source).catch(() => null);
  if (!address) return;
  if (address !== source) image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}
