// Looking through what is stored, part by part.

import { asked } from "./http.js";
import { loadCollections } from "./collections.js";
import { attempt, find, make, pairs } from "./dom.js";
import { framed } from "./picture.js";
import { searchWith } from "./search.js";
import { counted } from "./text.js";

const PART = 24;

let next = null;
let round = 0;

export function startBrowse() {
  find("browse-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(begin);
  });
  find("browse-more").addEventListener("click", () => attempt(async () => {
    const first = await more();
    first?.querySelector("button").focus();
  }));
}

/** What there is now, from the start. */
export async function browse() {
  await attempt(async () => {
    await loadCollections();
    await begin();
  });
}

async function begin() {
  next = null;
  await more();
}

/** One more part; the first of its items. */
async function more() {
  const own = (round += 1);
  const query = new URLSearchParams({ limit: PART });
  if (find("browse-collection").value) query.set("collection", find("browse-collection").value);
  for (const pair of pairs(find("browse-filter").value)) query.append("filter", pair.join("="));
  if (next) query.set("cursor", next);
  const page = await asked(`/v1/images?${query}`);
  if (own !== round) return null; // another listing was begun meanwhile
  if (!next) find("stored").replaceChildren();
  const items = page.images.map(item);
  find("stored").append(...items);
  next = page.cursor;
  find("browse-more").hidden = !next;
  const number = find("stored").children.length;
  find("browse-status").textContent = number
    ? `${counted(number, "picture")} shown${next ? ", and there are more" : ""}.`
    : "No pictures yet.";
  return items[0];
}

function item(image) {
  const name = image.title || image.sources[0] || image.id;
  return make("li", {},
    make("button", { type: "button", class: "tile", click: () => searchWith(image) },
      framed({ source: image.thumbnail, alt: "", width: image.width, height: image.height }),
      make("span", { class: "unseen" }, "Find copies of "),
      make("span", { class: "name" }, name),
      make("span", { class: "soft" }, `${image.collection}, ${image.width} × ${image.height}`)));
}
