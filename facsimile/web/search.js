// Asking where a picture occurs.

import { asked } from "./http.js";
import { attempt, find, pairs } from "./dom.js";
import { showMatches, startMatches } from "./matches.js";
import { show } from "./picture.js";
import { taking } from "./image_input.js";
import { summary } from "./text.js";

// what is asked about: { file }, or { id, collection, name, thumbnail } of a stored picture
let chosen = null;
let underway = null;

export function startSearch() {
  startMatches();
  taking("search", "search-drop", "search-file", ([file], link) => {
    choose(file ? { file, name: file.name } : null);
    find("search-link").value = link;
    search();
  });
  find("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  find("search-link").addEventListener("input", () => { if (find("search-link").value) choose(null); });
  find("query-clear").addEventListener("click", () => {
    choose(null);
    find("search-file").focus();
  });
  find("search-score").addEventListener("input", () => {
    find("search-score-told").value = `${find("search-score").value} %`;
  });
}

/** Search with a stored picture. */
export function searchWith({ id, collection, title, source, sources, thumbnail }) {
  choose({ id, collection, thumbnail, name: title || source || sources?.[0] || id });
  find("search-link").value = "";
  location.hash = "search";
  scrollTo({ top: 0 });
  search();
}

function choose(picture) {
  chosen = picture;
  const image = find("query-picture");
  image.hidden = !picture;
  image.removeAttribute("src");
  if (picture?.file) {
    image.src = URL.createObjectURL(picture.file);
    image.onload = () => URL.revokeObjectURL(image.src);
    image.onerror = () => { image.hidden = true; }; // a format that this browser cannot show
  } else if (picture) {
    show(image, picture.thumbnail);
  }
  image.alt = picture ? `Your picture: ${picture.name}` : "";
  find("query-name").textContent = picture ? picture.name : "Drop or paste a picture here, or";
  find("query-clear").hidden = !picture;
}

async function search() {
  await attempt(async () => {
    const body = question();
    underway?.abort();
    const own = (underway = new AbortController());
    find("search-guide").hidden = true;
    find("search-status").textContent = "Searching…";
    find("matches").replaceChildren();
    try {
      const answer = await asked("/v1/search", { method: "POST", signal: own.signal, ...body });
      showMatches(answer, searchWith);
      find("search-status").textContent = summary(answer.matches, answer.took_ms);
      reveal(find("search-status"));
    } catch (error) {
      if (underway === own) find("search-status").textContent = "";
      if ([413, 415, 422].includes(error.status)) find("query-picture").hidden = true;
      throw error;
    }
  });
}

/** Where the answer is below the form, as on a phone, show it. */
function reveal(place) {
  if (place.getBoundingClientRect().top > innerHeight / 2) place.scrollIntoView();
}

function question() {
  const link = find("search-link").value.trim();
  const text = find("search-text").value.trim();
  if (!chosen && !link && !text) throw new Error("Choose a picture, or enter a link or some words.");
  const filter = {};
  for (const [key, value] of pairs(find("search-filter").value)) (filter[key] ??= []).push(value);
  const wanted = {
    mode: new FormData(find("search-form")).get("mode"),
    limit: Number(find("search-limit").value) || 10,
    min_score: Number(find("search-score").value) / 100,
    collections: [...find("search-collections").querySelectorAll(":checked")].map((box) => box.value),
    filter,
    text,
    preview: true,
  };
  if (!chosen?.file) {
    const picture = chosen ? { id: chosen.id, collection: chosen.collection } : link ? { url: link } : {};
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...wanted, ...picture }) };
  }
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...wanted, filter: JSON.stringify(filter) })) {
    for (const one of [value].flat()) form.append(name, one);
  }
  form.append("image", chosen.file, "image");
  return { body: form };
}
