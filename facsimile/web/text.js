// What the numbers of an answer mean, in words.

export const VERDICTS = {
  identical: "Identical",
  copy: "Copy",
  similar: "Similar",
  text: "Found by words",
};

const MEANINGS = {
  identical: "the same bytes, or the same pixels",
  copy: "the same picture, edited",
  similar: "alike, not proven",
  text: "its title or tags hold the words",
};

const NOTES = {
  "same scene": "the same scene in another picture",
  "same template": "the same template with other contents",
  recoloured: "a part has other colors",
  negative: "one is the negative of the other",
};

export const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const counted = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** What was done to the stored picture: by geometry, or else by the hash. */
export function edit(match) {
  if (match.proof) return upper(match.proof.transform.words) || "Whole, not moved";
  const { orientation, margins } = match.transform ?? {};
  const parts = [orientation?.replaceAll("-", " "), margins && "other margins"];
  return upper(parts.filter(Boolean).join(", "));
}

export function meaning(match) {
  return NOTES[match.note] ?? MEANINGS[match.verdict];
}

/** How alike the two pictures are, each figure with its name. */
export function figures(match) {
  return [
    ["Score", match.verdict === "text" ? null : `${percent(match.score)} %`],
    ["Hash", match.hamming === null ? null : `${match.hamming} of 256 bits differ`],
    ["Vector", match.cosine === null ? null : `cosine ${match.cosine.toFixed(3)}`],
    ["Geometry", match.proof && geometry(match.proof)],
    ["Edit", edit(match) || null],
  ].filter(([, value]) => value !== null && value !== undefined);
}

function geometry({ feature, inliers }) {
  return feature === "whole" ? "whole pictures laid on each other" : counted(inliers, "point agrees", "points agree");
}

/** The same of a match, and what is stored. */
export const facts = (match) =>
  [...figures(match), ["Stored", `${match.width} × ${match.height}, in ${match.collection}`]];

// never 100 % nor 0 % for what is not quite that
function percent(score) {
  if (score > 0.99 && score < 1) return (Math.floor(score * 1000) / 10).toFixed(1);
  return Math.round(score * 100);
}

/** How many matches there are, and what they are. */
export function summary(matches, took) {
  if (!matches.length) return "No matches found.";
  const parts = Object.entries(VERDICTS).map(([verdict, word]) => {
    const number = matches.filter((match) => match.verdict === verdict).length;
    const many = verdict === "copy" && number > 1 ? "copies" : word.toLowerCase();
    return number ? `${number} ${many}` : null;
  });
  const told = parts.filter(Boolean).join(", ");
  return `${counted(matches.length, "match", "matches")} (${told}) in ${Math.round(took)} ms.`;
}
