// What the console does beyond its pages: it keeps them up to date. Without it
// everything can be read, by loading a page again.
"use strict";

const EVERY = 2000;
const live = document.getElementById("live");
let shown = "";

// What people are in the middle of is left alone.
function isBusy() {
  const active = document.activeElement;
  const typing = active && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName);
  return document.hidden || typing || String(document.getSelection()) !== "";
}

async function refresh() {
  if (isBusy()) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main");
    if (fresh && fresh.innerHTML !== shown && !isBusy()) replace(fresh, page.title);
    live.textContent = "";
  } catch {
    live.textContent = "not reached; this is how it was";
  }
}

function replace(fresh, title) {
  const main = document.querySelector("main");
  const graph = main.querySelector(".graph");
  const at = graph && [graph.scrollLeft, graph.scrollTop];
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  main.replaceChildren(...fresh.childNodes);
  document.title = title;
  shown = main.innerHTML;
  const again = main.querySelector(".graph");
  if (at && again) [again.scrollLeft, again.scrollTop] = at;
  if (focused) [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
}

if (document.querySelector("table.runs, header.run, section.empty")) setInterval(refresh, EVERY);
