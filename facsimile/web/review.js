// Deciding about the findings of scans, one after the other, by keys.

import { attempt, find, make } from "./dom.js";
import { named, showFinding } from "./finding_view.js";
import { byNeed, decided, Listing, scans, STATES } from "./findings.js";
import { upper, VERDICTS } from "./text.js";

const REVIEWER = "facsimile-reviewer";
const KEYS = "facsimile-review-keys";

const ACTIONS = {
  j: () => step(1),
  ArrowRight: () => step(1),
  k: () => step(-1),
  ArrowLeft: () => step(-1),
  c: () => decide("confirmed"),
  d: () => decide("dismissed"),
  l: () => decide("licensed"),
  o: () => decide("open"),
  u: undo,
};

let known = [];
let scan = ""; // whose findings are shown
let state = null; // of the findings wanted; empty: all
let listing = null;
let place = 0;
let done = []; // what can be undone: the finding, its place, and its state before
let busy = false;
const drafts = new Map();

const current = () => listing?.found[place];

/** Offer this part of the page only where there are scans. */
export async function offerReview() {
  const some = await scans().catch(() => []);
  document.querySelector('nav [href="#review"]').hidden = !some.length;
}

/** Show where the review was left, or begin it. */
export const review = () => alone(async () => {
  await learn();
  if (!listing && known.length) await begin();
  else if (!known.length) announce("No scans yet.");
});

export function startReview() {
  find("review-reviewer").value = localStorage.getItem(REVIEWER) ?? "";
  find("review-reviewer").addEventListener("change", keepName);
  find("review-choice").open = matchMedia("(min-width: 48rem)").matches;
  find("review-letters").checked = localStorage.getItem(KEYS) !== "off";
  find("review-letters").addEventListener("change", (event) =>
    localStorage.setItem(KEYS, event.target.checked ? "on" : "off"));
  find("review-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keepName();
    alone(anew);
  });
  find("comment-form").addEventListener("submit", (event) => {
    event.preventDefault();
    alone(remark);
  });
  find("review-comment").addEventListener("keydown", (event) => {
    if (event.key === "Escape") find("finding").focus();
  });
  for (const button of find("review-bar").querySelectorAll("[aria-keyshortcuts]")) {
    button.addEventListener("click", () => press(button.getAttribute("aria-keyshortcuts")));
  }
  find("review-help-close").addEventListener("click", () => find("review-help").close());
  document.addEventListener("keydown", onKey);
}

function onKey(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (find("review").hidden || document.querySelector("dialog[open]") || event.isComposing) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
  if (key !== "?" && (!(key in ACTIONS) || !find("review-letters").checked)) return;
  event.preventDefault();
  // a key that is held down goes through the findings, but decides about no more than one
  if (!event.repeat || /^[jk]|^Arrow/.test(key)) press(key);
}

function press(key) {
  if (key === "?") find("review-help").showModal();
  else alone(ACTIONS[key]);
}

/** One thing at a time: a key counts for the finding that is seen, not for one that is about to come. */
async function alone(action) {
  if (busy) return;
  busy = true;
  await attempt(action);
  busy = false;
}

// -- which findings ------------------------------------------------------------------------------------------

async function learn() {
  known = byNeed(await scans());
  const among = (name) => known.some((each) => each.scan === name);
  const chosen = find("review-scan").value;
  find("review-choice").hidden = find("review-states").hidden = !known.length;
  find("review-scan").replaceChildren(...known.map((each) => make("option", { value: each.scan }, each.scan)));
  if (among(chosen)) find("review-scan").value = chosen;
  if (!among(scan)) scan = find("review-scan").value;
  drawStates();
}

const counts = (of = scan) => known.find((each) => each.scan === of)?.findings ?? {};

function drawStates() {
  const all = Object.values(counts()).reduce((sum, number) => sum + number, 0);
  const places = [["", all], ...STATES.map((name) => [name, counts()[name] ?? 0])];
  const focused = [...find("review-states").children].indexOf(document.activeElement);
  find("review-states").replaceChildren(...places.map(([name, number]) =>
    make("button", { type: "button", "aria-pressed": String(name === state),
      click: () => alone(() => begin(name)) },
    `${upper(name || "all")} `, make("strong", {}, number.toLocaleString("en")))));
  find("review-states").children[focused]?.focus();
}

async function anew() {
  await learn();
  await begin();
  find("finding").focus({ preventScroll: true });
}

async function begin(only = state) {
  const chosen = find("review-scan").value;
  const wanted = only ?? (counts(chosen).open ? "open" : "");
  const [site, work] = ["site", "work"].map((field) => find(`review-${field}`).value.trim());
  const own = new Listing(chosen, { state: wanted, site, work });
  await own.reaches(0);
  keepDraft();
  [scan, state, listing, place, done] = [chosen, wanted, own, 0, []];
  drawStates();
  show();
}

function only(field, value) {
  find(`review-${field}`).value = value;
  alone(anew);
}

// -- one finding after the other -----------------------------------------------------------------------------

function show(said = "") {
  const finding = current();
  for (const part of ["finding", "review-bar"]) find(part).hidden = !finding;
  if (!finding) {
    announce("Finding not found.");
    return;
  }
  const within = find("finding").contains(document.activeElement);
  showFinding(finding, only);
  find("review-comment").value = drafts.get(finding.finding) ?? "";
  if (within) find("finding").focus({ preventScroll: true });
  const whole = listing.found.length.toLocaleString("en") + (listing.ended ? "" : "+");
  find("review-place").textContent = `${(place + 1).toLocaleString("en")} of ${whole}`;
  const { suspect, work, verdict } = finding;
  announce(said, `${place + 1}: ${VERDICTS[verdict]}, ${finding.state}, ${named(suspect)} shows ${named(work)}.`);
}

/** What eyes see elsewhere is said for ears. */
function announce(seen, heard = "") {
  find("review-status").replaceChildren(seen, make("span", { class: "unseen" }, heard));
}

async function step(by, said = "") {
  keepDraft();
  const there = await listing?.reaches(place + by);
  if (there) place += by;
  show(there ? said : `${said}That was the ${by > 0 ? "last" : "first"} one. `);
}

async function decide(to) {
  const finding = current();
  if (!finding) return;
  const before = { finding, place, state: finding.state };
  const comment = find("review-comment").value.trim();
  if (to !== finding.state || comment) {
    await write(finding, { state: to, comment });
    done.push(before);
  }
  await step(1, `${upper(to)}: ${named(finding.suspect)}. `);
}

async function remark() {
  const comment = find("review-comment").value.trim();
  if (!comment) throw new Error("Write a comment first.");
  await write(current(), { comment });
  find("finding").focus({ preventScroll: true });
  show("Kept. ");
}

async function undo() {
  const last = done.at(-1);
  if (!last) throw new Error("Nothing to undo.");
  await write(last.finding, { state: last.state });
  done.pop();
  keepDraft();
  place = last.place;
  show("Undone. ");
}

async function write(finding, decision) {
  const before = finding.state;
  const reviewer = find("review-reviewer").value.trim();
  await decided(finding, { ...decision, reviewer });
  if (decision.comment) find("review-comment").value = "";
  counts()[before] = (counts()[before] ?? 1) - 1;
  counts()[finding.state] = (counts()[finding.state] ?? 0) + 1;
  drawStates();
}

/** A comment that is begun stays with its finding. */
function keepDraft() {
  if (current()) drafts.set(current().finding, find("review-comment").value);
}

function keepName() {
  const name = find("review-reviewer").value.trim();
  if (name) localStorage.setItem(REVIEWER, name);
  else localStorage.removeItem(REVIEWER);
}
