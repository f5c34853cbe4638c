// Pictures that a person drops, pastes or chooses.

import { find } from "./dom.js";

/** Hand what is dropped on, or pasted into, a visible section to `take(files, link)`. */
export function taking(section, drop, input, take) {
  const visible = () => !find(section).hidden && !find("key-dialog").open;
  const over = (event, whether) => {
    if (!visible() || !event.dataTransfer) return;
    event.preventDefault();
    find(drop).classList.toggle("over", whether);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(event, false); });
  document.addEventListener("drop", (event) => {
    over(event, false);
    if (visible()) taken(event.dataTransfer, take);
  });
  document.addEventListener("paste", (event) => {
    if (!visible()) return;
    const typing = event.target.closest?.("input, textarea");
    if (event.clipboardData.files.length || !typing) taken(event.clipboardData, take);
  });
  find(input).addEventListener("change", () => {
    const files = [...find(input).files];
    find(input).value = ""; // the same file may be chosen again
    if (files.length) take(files, "");
  });
}

function taken(data, take) {
  const files = [...data.files];
  const link = (data.getData("text/uri-list") || data.getData("text/plain")).trim().split("\n")[0];
  if (files.length || /^https?:\/\//i.test(link)) take(files, files.length ? "" : link);
}
