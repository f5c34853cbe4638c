const byId = (id) => document.getElementById(id);
const parts = new Map();
function data(name) {
  if (!parts.has(name)) parts.set(name, JSON.parse(byId(name).textContent));
  return parts.get(name);
}
const report = data("report");
const [STATE, VERDICT, WORK, SITES, CLUSTER] = [0, 1, 2, 3, 4];

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// -- one finding ---------------------------------------------------------------------------------

const findingAt = (place) => data(`findings-${Math.floor(place / report.together)}`)[place % report.together];
const workPicture = (place) => data(`works-${Math.floor(place / report.together)}`)[place % report.together];

function outlined(picture, record, area) {
  if (!picture) return make("div", { className: "gone" }, "no longer in the index");
  const image = make("img", { src: picture, alt: record.title || record.source || record.id });
  const frame = make("div", { className: "frame" }, image);
  if (area) frame.append(outline(area, record.width, record.height));
  return frame;
}

function address(source, words = source) {
  if (!/^https?:\/\//.test(source)) return make("p", {}, words);
  return make("p", {}, make("a", { href: source, rel: "noopener noreferrer nofollow" }, words));
}

function shownOn({ url, title, text }) {
  const line = address(url, title ? `${title} (${url})` : url);
  line.prepend("on ");
  if (text) line.append(`: ${text}`);
  return line;
}

function side(name, record, picture, area) {
  const size = `${record.collection}, ${record.width}×${record.height}, ${record.format}`;
  const title = record.title ? [make("p", {}, record.title)] : [];
  return make("figure", {}, outlined(picture, record, area), make("figcaption", {},
    make("p", {}, make("b", {}, name)), ...title, ...record.sources.map((source) => address(source)),
    ...(record.pages ?? []).map(shownOn),
    make("p", { className: "soft" }, size)));
}

function distances(finding) {
  const told = [];
  if (finding.hamming !== null) told.push(`${finding.hamming} of 256 bits differ`);
  if (finding.cosine !== null) told.push(`cosine ${finding.cosine.toFixed(2)}`);
  if (finding.proof) told.push(`${finding.proof.feature === "whole" ? "whole pictures laid on each other" : `${finding.proof.inliers} features agree`}, pixels ${finding.proof.agreement.toFixed(2)}`);
  if (finding.edit) told.push(finding.edit);
  if (finding.note) told.push(finding.note);
  return told.join(", ");
}

function evidence(finding) {
  const { evidence: told } = finding;
  const list = make("dl", {});
  const add = (name, text, className = "") =>
    list.append(make("dt", {}, name), make("dd", { className }, text || "–"));
  add("Finding", finding.finding, "mono");
  add("SHA-256 of the suspect", told.suspect_sha256, "mono");
  add("SHA-256 of the work", told.work_sha256, "mono");
  add("First seen (UTC)", told.first_seen);
  add("Last compared (UTC)", told.compared);
  add("Suspect, work", `${finding.suspect.collection}/${finding.suspect.id}, ${finding.work.collection}/${finding.work.id}`, "mono");
  add("Score", `${finding.score}`);
  if (finding.proof) add("Probability by geometry", `${finding.proof.probability}`);
  add("Signatures", Object.entries(told.signatures).map((pair) => pair.join(" ")).join(", "));
  add("Thresholds", Object.entries(told.thresholds).map((pair) => pair.join(" ")).join(", "));
  add("Verification", Object.entries(told.verification).map((pair) => pair.join(" ")).join(", "));
  add("Program", `facsimile ${told.program}, run ${told.run}`);
  if (finding.cluster) add("Copies of one another", finding.cluster, "mono");
  for (const each of finding.history)
    add(each.at, [each.state, each.reviewer && `by ${each.reviewer}`, each.comment].filter(Boolean).join(", "));
  return make("details", {}, make("summary", {}, "Evidence"), list);
}

function article(place) {
  const finding = findingAt(place);
  const area = finding.proof ? finding.proof.area : { query: null, stored: null };
  return make("article", {},
    make("header", {},
      make("span", { className: `verdict ${finding.verdict}` }, finding.verdict),
      make("span", { className: `state ${finding.state}` }, finding.state),
      make("p", {}, distances(finding))),
    make("div", { className: "pair" },
      side("Suspect", finding.suspect, finding.picture, area.query),
      side("Work", finding.work, workPicture(report.rows[place][WORK]), area.stored)),
    evidence(finding));
}

// -- the list ------------------------------------------------------------------------------------

let chosen = [];
let drawn = 0;
let heading = null;

const groupOf = {
  work: (row) => report.work_labels[row[WORK]],
  site: (row) => row[SITES].map((site) => report.sites[site]).join(", "),
  cluster: (row) => row[CLUSTER] ? `Copies of one another: ${row[CLUSTER]}` : "On their own",
};

function choose() {
  const [state, verdict, work, site] = ["state", "verdict", "work", "site"].map((id) => byId(id).value);
  const group = groupOf[byId("group").value];
  chosen = [];
  report.rows.forEach((row, place) => {
    if (state && row[STATE] !== state) return;
    if (verdict && row[VERDICT] !== verdict) return;
    if (work && row[WORK] !== Number(work)) return;
    if (site && !row[SITES].includes(Number(site))) return;
    chosen.push(place);
  });
  if (group) {
    const named = new Map(chosen.map((place) => [place, group(report.rows[place])]));
    chosen.sort((a, b) => (named.get(a) < named.get(b) ? -1 : named.get(a) > named.get(b) ? 1 : a - b));
  }
  drawn = 0;
  heading = null;
  byId("list").replaceChildren();
  byId("shown").textContent = `${chosen.length} of ${report.rows.length} findings`;
  draw(10);
}

function draw(count) {
  const group = groupOf[byId("group").value];
  for (const place of chosen.slice(drawn, drawn + count)) {
    const name = group ? group(report.rows[place]) : null;
    if (name !== heading) byId("list").append(make("h2", { className: "group" }, name));
    heading = name;
    byId("list").append(article(place));
  }
  drawn = Math.min(chosen.length, drawn + count);
}

async function drawAll() {
  draw(chosen.length - drawn);
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  await Promise.allSettled([...document.images].map((image) => image.decode()));
}

// -- the start -----------------------------------------------------------------------------------

function options(id, values, labels = values) {
  const counts = new Map();
  const column = { state: STATE, verdict: VERDICT, work: WORK, site: SITES }[id];
  for (const row of report.rows)
    for (const value of [row[column]].flat()) counts.set(value, (counts.get(value) || 0) + 1);
  byId(id).append(make("option", { value: "" }, "all"));
  values.map((value, place) => [value, labels[place]]).filter(([value]) => counts.has(value))
    .sort((a, b) => counts.get(b[0]) - counts.get(a[0]))
    .forEach(([value, label]) => byId(id).append(make("option", { value }, `${label} (${counts.get(value)})`)));
  byId(id).addEventListener("change", choose);
}

byId("title").textContent = `Findings of ${report.scan}`;
document.title = byId("title").textContent;
byId("summary").textContent =
  `${report.suspects} compared with ${report.catalogue}, as of ${report.at.slice(0, 19).replace("T", " ")} UTC`;
options("state", ["open", "confirmed", "dismissed", "licensed"]);
options("verdict", ["identical", "copy", "similar"]);
options("work", report.work_labels.map((_, place) => place), report.work_labels);
options("site", report.sites.map((_, place) => place), report.sites);
byId("group").addEventListener("change", choose);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("print").addEventListener("click", () => drawAll().then(() => print()));
addEventListener("beforeprint", drawAll);
new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) draw(10);
}, { rootMargin: "1000px" }).observe(byId("more"));
choose();
if (location.hash === "#all") drawAll();
