// The matches of an answer, side by side with the picture that was asked about.

import { find, make } from "./dom.js";
import { framed } from "./picture.js";
import { edit, facts, meaning, VERDICTS } from "./text.js";

/** Show the matches; `again` is called with one whose copies a person wants. */
export function showMatches(answer, again) {
  find("matches").replaceChildren(
    ...answer.matches.map((match, place) => item(match, answer.query, place, again)));
}

const named = (match) => match.title || match.source || match.id;

function item(match, query, place, again) {
  const name = named(match);
  const title = make("h2", { id: `match-${place}` },
    make("span", { class: `verdict ${match.verdict}` }, VERDICTS[match.verdict]), " ", name);
  const pictures = make("div", { class: query ? "pair" : "pair alone" },
    query && figure("Your picture", {
      source: query.thumbnail, width: query.width, height: query.height,
      area: match.proof?.area.query, alt: `Your picture${outlined(match)}`,
    }),
    figure("Stored", {
      source: match.thumbnail, width: match.width, height: match.height,
      area: match.proof?.area.stored, alt: `${name}${outlined(match)}`,
    }));
  const list = make("dl", {}, ...facts(match).map(([term, value]) =>
    make("div", {}, make("dt", {}, term), make("dd", {}, value))));
  const button = make("button", { type: "button", click: () => again(match) }, "Find copies of this one");
  return make("li", {},
    make("article", { tabindex: place ? "-1" : "0", "aria-labelledby": `match-${place}` },
      pictures,
      make("div", { class: "told" }, title, make("p", { class: "soft" }, meaning(match)), list,
        sources(match), button)));
}

function figure(caption, picture) {
  return make("figure", {}, framed(picture), make("figcaption", {}, caption));
}

function outlined(match) {
  if (!match.proof) return "";
  return `, the matching area outlined${edit(match) ? `: ${edit(match)}` : ""}`;
}

/** Where a picture is from; only web addresses are links. */
export function sources(image) {
  const gone = (image.gone ?? []).map((place) => `${place} (gone)`);
  const places = [...image.sources, ...gone].filter((source) => source !== image.title);
  if (!places.length) return null;
  return make("ul", { class: "sources", "aria-label": "Sources" }, ...places.map((source) =>
    make("li", {}, /^https?:\/\//i.test(source)
      ? make("a", { href: source, rel: "noopener noreferrer", target: "_blank" }, source)
      : source)));
}

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/** Let the arrow keys, Home and End move through the matches. */
export function startMatches() {
  find("matches").addEventListener("keydown", (event) => {
    const articles = [...find("matches").querySelectorAll("article")];
    const at = articles.indexOf(event.target.closest("article"));
    const last = articles.length - 1;
    const to = { Home: 0, End: last }[event.key] ?? Math.min(last, Math.max(0, at + (STEPS[event.key] ?? NaN)));
    if (Number.isNaN(to) || at < 0) return;
    event.preventDefault();
    articles.forEach((article, place) => { article.tabIndex = place === to ? 0 : -1; });
    articles[to].focus();
  });
}
