// A picture with what matched drawn on it.

import { shown } from "./http.js";
import { draw, make } from "./dom.js";

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

function outline(area, width, height) {
  const within = (share) => Math.min(1, Math.max(0, share));
  const points = area.map(([x, y]) => `${within(x) * width},${within(y) * height}`);
  // drawn in the picture's own pixels; both are fitted into the frame alike
  return draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    draw("path", { class: "veil", "fill-rule": "evenodd", d: `M0 0H${width}V${height}H0ZM${points.join("L")}Z` }),
    draw("polygon", { class: "halo", points: points.join(" ") }),
    draw("polygon", { class: "area", points: points.join(" ") }));
}
