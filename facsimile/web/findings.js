// Scans and their findings, as the server lists them.

import { asked } from "./http.js";

const PART = 50;

export const STATES = ["open", "confirmed", "dismissed", "licensed"];

/** The scans; none where this server has none to show. */
export async function scans() {
  try {
    return (await asked("/v1/scans")).scans;
  } catch (error) {
    if ([401, 403, 404].includes(error.status)) return [];
    throw error;
  }
}

/** The scans, those with open findings first, then those with findings, the newest first of each. */
export function byNeed(known) {
  const need = ({ findings }) => (findings.open ? 2 : Object.keys(findings).length ? 1 : 0);
  const time = (scan) => scan.begun ?? scan.created;
  return [...known].sort((a, b) => need(b) - need(a) || (time(a) < time(b) ? 1 : -1));
}

/** The findings of a scan that have all that is asked for; they are read as far as somebody looks. */
export class Listing {
  #path;
  #query;

  constructor(scan, wanted) {
    this.#path = `/v1/scans/${encodeURIComponent(scan)}/findings`;
    const given = Object.entries({ ...wanted, limit: PART }).filter(([, value]) => value);
    this.#query = new URLSearchParams(given);
    this.found = [];
    this.ended = false;
  }

  /** Whether there is a finding at this place. */
  async reaches(place) {
    while (this.found.length <= place && !this.ended) {
      const part = await asked(`${this.#path}?${this.#query}`);
      // one that was decided meanwhile comes again, among the decided ones
      const known = new Set(this.found.map((each) => each.finding));
      this.found.push(...part.findings.filter((each) => !known.has(each.finding)));
      this.#query.set("cursor", part.cursor);
      this.ended = part.cursor === null;
    }
    return place >= 0 && place < this.found.length;
  }
}

/** Write a decision, and keep the finding as it is then. */
export async function decided(finding, decision) {
  Object.assign(finding, await asked(`/v1/findings/${encodeURIComponent(finding.finding)}`, {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(decision),
  }));
}
