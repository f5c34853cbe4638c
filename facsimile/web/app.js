// Puts the parts of the page together; the address says which of them is shown.

import { startKeys } from "./http.js";
import { browse, startBrowse } from "./browse.js";
import { loadCollections } from "./collections.js";
import { attempt, find, tell } from "./dom.js";
import { offerJobs, showJobs } from "./jobs.js";
import { offerReview, review, startReview } from "./review.js";
import { startSearch } from "./search.js";
import { startUpload } from "./upload.js";

const PARTS = { search: "Search", browse: "Browse", upload: "Upload", review: "Review", jobs: "Jobs" };

let wanted = "search";

function turn() {
  const name = location.hash.slice(1) || "search";
  if (name in PARTS) wanted = name; // else it is a place within a part
  for (const part of Object.keys(PARTS)) {
    find(part).hidden = part !== wanted;
    const link = document.querySelector(`nav [href="#${part}"]`);
    if (part === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${PARTS[wanted]} · Facsimile`;
  tell(null);
  if (wanted === "browse") browse();
  if (wanted === "review") review();
  if (wanted === "jobs") showJobs();
}

startKeys();
startSearch();
startBrowse();
startUpload();
startReview();
addEventListener("hashchange", turn);
turn();
attempt(async () => {
  await loadCollections();
  await Promise.all([offerJobs(), offerReview()]);
});
