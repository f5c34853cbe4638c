// One finding: suspect and work side by side, what they have in common, and the evidence.

import { asked } from "./http.js";
import { find, make } from "./dom.js";
import { sources } from "./matches.js";
import { framed } from "./picture.js";
import { edit, figures, meaning, VERDICTS } from "./text.js";

/** A name for a record: its title, or the last part of its address. */
export const named = ({ title, source, id }) => title || source.split("/").filter(Boolean).pop() || id;

let open = false; // whoever looks at the evidence of one finding looks at that of the next

/** Show a finding; `only(field, value)` is called with what a person wants to see alone. */
export function showFinding(finding, only) {
  const { suspect, work } = finding;
  find("finding-title").replaceChildren(
    make("span", { class: `verdict ${finding.verdict}` }, VERDICTS[finding.verdict]), " ",
    make("span", { class: `state ${finding.state}` }, finding.state),
    ` ${named(suspect)} shows ${named(work)}`);
  find("finding-pictures").replaceChildren(
    figure("Suspect", suspect, finding, finding.proof?.area.query),
    figure("Work", work, finding, finding.proof?.area.stored));
  find("finding-facts").replaceChildren(
    make("p", { class: "soft" }, meaning(finding)),
    terms([...figures(finding), ...places("Found at", suspect), ...pages(suspect), ...places("Work at", work)]),
    make("p", { class: "only" },
      ...finding.sites.map((site) => narrower(`Only ${site}`, () => only("site", site))),
      narrower("Only this work", () => only("work", `${work.collection}/${work.id}`))));
  find("finding-more").replaceChildren(...[history(finding), evidence(finding)].filter(Boolean));
}

const terms = (pairs) => make("dl", {}, ...pairs.map(([term, told]) =>
  make("div", {}, make("dt", {}, term), make("dd", {}, told))));

const narrower = (text, click) => make("button", { type: "button", class: "quiet", click }, text);

function places(term, record) {
  const list = sources({ sources: record.sources });
  list?.classList.add("scroll");
  return list ? [[term, list]] : [];
}

/** The web pages that show the suspect, with its caption there. */
function pages({ pages: shown = [] }) {
  if (!shown.length) return [];
  return [["On the pages", make("ul", { class: "sources scroll" }, ...shown.map(({ url, title, text }) =>
    make("li", {},
      /^https?:\/\//.test(url) ? make("a", { href: url, rel: "noopener noreferrer nofollow" }, title || url) : url,
      text && `: ${text}`)))]];
}

// -- the pictures --------------------------------------------------------------------------------------------

function figure(caption, record, finding, area) {
  const frame = make("div", { class: "frame" });
  const outlined = area ? `, the matching area outlined: ${edit(finding)}` : "";
  stored(record).then(({ thumbnail, lack }) => frame.replaceWith(thumbnail
    ? framed({ source: thumbnail, width: record.width, height: record.height, area,
      alt: `${caption}: ${named(record)}${outlined}` })
    : make("div", { class: "frame gone" }, make("p", {}, lack))));
  return make("figure", {}, frame, make("figcaption", {},
    make("strong", {}, caption), ` ${named(record)}, ${record.width} × ${record.height}, in ${record.collection}`));
}

/** Where the thumbnail of the very bytes of a finding is, or why there is none. */
async function stored({ id, collection, sha256 }) {
  try {
    const query = new URLSearchParams({ collection });
    const image = await asked(`/v1/images/${encodeURIComponent(id)}?${query}`);
    return image.sha256 === sha256 ? image : { lack: "Another picture is stored under this id now." };
  } catch (error) {
    return { lack: error.status === 404 ? "No longer stored." : error.message };
  }
}

// -- what was decided, and what it rests on ------------------------------------------------------------------

const utc = (time) => `${time.slice(0, 19).replace("T", " ")} UTC`;

function history({ history: said }) {
  if (!said.length) return null;
  return make("ol", { class: "history", "aria-label": "History" }, ...said.map((each) =>
    make("li", {}, make("small", {}, `${utc(each.at)} `),
      [each.state ?? "comment", each.reviewer && `by ${each.reviewer}`].filter(Boolean).join(" "),
      each.comment && `: ${each.comment}`)));
}

const listed = (told) =>
  Object.entries(told).filter(([, value]) => value !== "").map((pair) => pair.join(" ")).join(", ");

function evidence(finding) {
  const { evidence: told, suspect, work } = finding;
  return make("details", { class: "evidence", open: open && "", toggle: (event) => { open = event.target.open; } },
    make("summary", {}, "Evidence"),
    terms([
      ["Finding", finding.finding],
      ["Suspect", `${suspect.collection}/${suspect.id}`],
      ["its SHA-256", told.suspect_sha256],
      ["Work", `${work.collection}/${work.id}`],
      ["its SHA-256", told.work_sha256],
      ["First seen", utc(told.first_seen)],
      ["Compared", utc(told.compared)],
      ["Score", String(finding.score)],
      ["Signatures", listed(told.signatures)],
      ["Thresholds", listed(told.thresholds)],
      ["Verification", listed(told.verification)],
      ["Program", `facsimile ${told.program}, run ${told.run}`],
    ]));
}
