// Two pictures with their common area: the outline that the web page and the report of a scan draw on each.

const SVG = "http://www.w3.org/2000/svg";

/** An outline to lay over a picture; `area` has corners in shares of its width and height. */
export function outline(area, width, height) {
  const within = (share) => Math.min(1, Math.max(0, share));
  const points = area.map(([x, y]) => `${within(x) * width},${within(y) * height}`);
  // in pixels of the picture: both are fitted into the frame alike
  return shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    shape("path", { class: "veil", "fill-rule": "evenodd", d: `M0 0H${width}V${height}H0ZM${points.join("L")}Z` }),
    shape("polygon", { class: "halo", points: points.join(" ") }),
    shape("polygon", { class: "area", points: points.join(" ") }));
}

function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
