// Storing pictures, one after the other.

import { asked, newName } from "./http.js";
import { loadCollections } from "./collections.js";
import { attempt, find, make, pairs } from "./dom.js";
import { taking } from "./image_input.js";
import { counted } from "./text.js";

const TRIES = 4;

const SAID = {
  added: "stored",
  updated: "stored, in the place of another",
  unchanged: "stored already",
};

let files = [];
let busy = false;

export function startUpload() {
  taking("upload", "upload-drop", "upload-file", (given) => {
    files = given;
    find("upload-chosen").textContent = given.length
      ? `${counted(given.length, "picture")}: ${given.slice(0, 3).map((file) => file.name).join(", ")}${given.length > 3 ? ", …" : ""}`
      : "Links can be searched with, not stored here.";
  });
  find("upload-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(store);
  });
}

async function store() {
  if (busy) return;
  if (!files.length) throw new Error("Choose one or more pictures first.");
  const about = described();
  busy = true;
  let stored = 0;
  find("uploaded").replaceChildren();
  try {
    for (const [place, file] of files.entries()) {
      find("upload-status").textContent = `Storing ${place + 1} of ${files.length}…`;
      const told = await one(file, about).then((status) => { stored += 1; return SAID[status]; })
        .catch((error) => error);
      find("uploaded").append(make("li", { class: told instanceof Error ? "failed" : "" },
        make("strong", {}, file.name), " ", told instanceof Error ? told.message : told));
    }
    const failed = files.length - stored;
    find("upload-status").textContent =
      `${counted(stored, "picture")} stored${failed ? `, ${failed} refused` : ""}.`;
    files = [];
    find("upload-chosen").textContent = "";
  } finally {
    busy = false;
  }
  await loadCollections();
}

function described() {
  return {
    collection: find("upload-collection").value.trim(),
    title: find("upload-name").value.trim(),
    metadata: JSON.stringify(Object.fromEntries(pairs(find("upload-metadata").value))),
    tags: find("upload-tags").value.split(",").map((tag) => tag.trim()).filter(Boolean),
  };
}

/** Store a file; a server that is busy is asked again when it says so, under the same name. */
async function one(file, about) {
  const name = newName();
  for (let left = TRIES - 1; ; left -= 1) {
    const form = new FormData();
    for (const [field, value] of Object.entries({ ...about, source: file.name })) {
      for (const each of [value].flat()) if (each) form.append(field, each);
    }
    form.append("image", file, "image");
    try {
      const headers = { "Idempotency-Key": name };
      return (await asked("/v1/images?wait=true", { method: "POST", headers, body: form })).status;
    } catch (error) {
      if (!left || ![429, 503].includes(error.status)) throw error;
      await new Promise((done) => { setTimeout(done, 1000 * Math.max(1, error.wait)); });
    }
  }
}
