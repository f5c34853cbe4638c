// Requests to the server, with the key where it wants one, and its errors as sentences.

import { find } from "./dom.js";

const KEPT = "facsimile-key";

const key = () => sessionStorage.getItem(KEPT);

export class Refusal extends Error {
  constructor(status, sentence, wait) {
    super(sentence);
    this.status = status;
    this.wait = wait;
  }
}

/** The answer to a request, as it came. Throws a Refusal with one sentence for a person. */
export async function ask(path, options = {}) {
  for (;;) {
    const used = key();
    const headers = { ...options.headers, ...(used && { Authorization: `Bearer ${used}` }) };
    const response = await fetch(path, { ...options, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refusal(0, "The server cannot be reached.");
    });
    if (response.ok) return response;
    if (response.status !== 401 || !(await newKey(used))) throw await refusal(response);
  }
}

/** The same for answers in JSON. */
export const asked = async (path, options) => (await ask(path, options)).json();

async function refusal(response) {
  const wait = Number(response.headers.get("Retry-After")) || 0;
  const told = await response.json().catch(() => ({}));
  const title = told.title || `The server answered ${response.status}`;
  const detail = told.detail && told.detail !== title ? `: ${told.detail}` : "";
  const later = wait && !detail.includes("again") ? ` Try again in ${wait} s.` : "";
  return new Refusal(response.status, `${title}${detail}`.replace(/[.\s]*$/, ".") + later, wait);
}

/** Where a picture of this server can be shown from: its path, or its bytes where a key is needed. */
export async function shown(path) {
  if (!key() || !path.startsWith("/")) return path;
  return URL.createObjectURL(await (await ask(path)).blob());
}

export const newName = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// -- the key -------------------------------------------------------------------------------------------------

let asking = null;

/** Whether there is now another key than the one that was refused; all requests wait for one answer. */
function newKey(refused) {
  if (key() !== refused) return true;
  asking ??= entered(refused).finally(() => { asking = null; });
  return asking;
}

function entered(refused) {
  const dialog = find("key-dialog");
  find("key-refused").hidden = !refused;
  find("key").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "given";
      if (given) sessionStorage.setItem(KEPT, find("key").value.trim());
      find("forget-key").hidden = !key();
      done(given);
    }, { once: true });
  });
}

export function startKeys() {
  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    find("key-dialog").close("given");
  });
  find("key-cancel").addEventListener("click", () => find("key-dialog").close(""));
  find("forget-key").hidden = !key();
  find("forget-key").addEventListener("click", () => {
    sessionStorage.removeItem(KEPT);
    location.reload();
  });
}
