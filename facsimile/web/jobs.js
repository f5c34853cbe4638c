// How far the jobs of the queue are, where there is one.

import { asked } from "./http.js";
import { find, make } from "./dom.js";
import { scans } from "./findings.js";
import { counted } from "./text.js";

const EVERY = 3000;

let waiting = null;

/** The jobs, or null where this server has no queue or the key may not see it. */
async function listed() {
  try {
    return (await asked("/v1/jobs")).jobs;
  } catch (error) {
    if ([401, 403, 404].includes(error.status)) return null;
    throw error;
  }
}

/** Offer this part of the page only where there are jobs to see. */
export async function offerJobs() {
  const jobs = await listed().catch(() => null);
  document.querySelector('nav [href="#jobs"]').hidden = !jobs?.length;
}

export async function showJobs() {
  clearTimeout(waiting);
  try {
    const jobs = (await listed()) ?? [];
    const running = new Map((jobs.length ? await scans() : []).map((scan) => [scan.job, scan]));
    const told = jobs.length ? `${counted(jobs.length, "job")}.` : "No jobs.";
    if (find("jobs-status").textContent !== told) find("jobs-status").textContent = told;
    find("jobs-list").replaceChildren(...jobs.map((job) => item(job, running.get(job.job))));
  } catch (error) {
    find("jobs-status").textContent = error.message;
  }
  if (!find("jobs").hidden) waiting = setTimeout(showJobs, EVERY);
}

function item(job, scan) {
  const done = job.accepted - job.pending;
  // the pictures of a scan are compared, not stored: `added` are those with a new finding
  const words = job.kind === "compare" ? { added: "with new findings", updated: "with changed findings", unchanged: "with nothing new" } : {};
  const parts = ["added", "updated", "unchanged", "failed", "cancelled"].filter((name) => job[name])
    .map((name) => `${job[name].toLocaleString("en")} ${words[name] ?? name}`);
  const left = job.pending && job.seconds_left ? `, about ${Math.ceil(job.seconds_left)} s left` : "";
  return make("li", { class: job.failed ? "failed" : "" },
    make("strong", {}, job.job), ` ${job.state}, began ${new Date(job.started).toLocaleString()}`,
    scan && ` for the scan ${scan.scan}, ${scan.phase}`,
    make("progress", { max: Math.max(1, job.accepted), value: done, "aria-label": `Done of job ${job.job}` }),
    make("span", { class: "soft" },
      `${done.toLocaleString("en")} of ${counted(job.accepted, "picture")}${left}`,
      parts.length ? `: ${parts.join(", ")}` : ""));
}
