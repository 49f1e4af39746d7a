// The latest alerts. The service decides which, in which order and how fast.

import { dress, element, find, reconcile, write } from "./dom.js";
import { clock, words } from "./words.js";

let first = true;

function makeRow(row) {
  const made = element("li");
  const head = element("div", "head");
  head.append(element("span", "sign"), element("bdi", "client"), element("span", "times"), element("time"));
  const title = element("div", "title");
  title.append(element("bdi", "", row.title));
  const facts = element("div", "facts");
  facts.append(element("bdi", "owner"));
  row.facts.forEach((fact, index) => facts.append(index ? " · " : "", element("bdi", "", fact)));
  made.append(head, title, facts);
  if (!first) {
    made.classList.add("arrived");
    made.addEventListener("animationend", () => made.classList.remove("arrived"));
  }
  return made;
}

function drawRow(made, row) {
  const arrived = made.classList.contains("arrived") ? " arrived" : "";
  dress(made, `${row.severity}${row.handled ? " handled" : ""}${arrived}`);
  write(made.querySelector(".sign"), words.signs[row.severity]);
  write(made.querySelector(".client"), row.client);
  write(made.querySelector(".times"), row.count ? `×${words.number(row.count)}` : "");
  write(made.querySelector("time"), row.received === null ? "" : clock(new Date(row.received)));
  write(made.querySelector(".owner"), row.handled ? `✓ ${row.owner} ` : "");
}

export function drawFeed(rows) {
  reconcile(find("#feed ol"), rows, makeRow, drawRow);
  first = false;
}

export function drawRate([number, unit]) {
  write(find("#feed h2 small"), number === "0" ? "" : `${words.number(number)}/${words.units[unit]}`);
}
