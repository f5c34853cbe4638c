// The collections that there are, wherever a person may choose one.

import { asked } from "./http.js";
import { find, make } from "./dom.js";

export async function loadCollections() {
  const { collections } = await asked("/v1/collections");
  const before = new Set(
    [...find("search-collections").querySelectorAll(":checked")].map((box) => box.value));
  find("search-collections-set").hidden = collections.length < 2;
  find("search-collections").replaceChildren(...collections.map(({ name, images }) =>
    make("label", {},
      make("input", { type: "checkbox", value: name, checked: before.has(name) }),
      ` ${name} `, make("small", {}, images.toLocaleString("en")))));
  const selected = find("browse-collection").value;
  find("browse-collection").replaceChildren(
    make("option", { value: "" }, "all"),
    ...collections.map(({ name, images }) =>
      make("option", { value: name }, `${name} (${images.toLocaleString("en")})`)));
  find("browse-collection").value = collections.some(({ name }) => name === selected) ? selected : "";
  find("collection-names").replaceChildren(...collections.map(({ name }) => make("option", { value: name })));
}
