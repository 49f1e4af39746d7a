// The clients of the page, each a tile in a place of its own.

import { dress, element, find, reconcile, style, unit, write } from "./dom.js";
import { words } from "./words.js";

const GAP = 16; // units between two tiles
const WIDE = 300; // units of a tile that is as good as it gets, by which layouts are compared
const HIGH = 240;
const NARROW = 230; // units, below which a name is cut
const EMPTY = 0.05; // what a place without a tile costs
const SVG = "http://www.w3.org/2000/svg";

let drawnFor = ""; // how many tiles, how large a screen
let size = "huge";
let spans = { usual: 1, last: 1, from: 0 }; // tracks that a tile is wide, and from which one on those of the last row
let times = 0; // that everything was drawn anew

// Returns in how many columns `places` tiles are largest, and how large they are then.
export function layout(places, width, height) {
  let best = null;
  for (let columns = 1; columns <= places; columns += 1) {
    const rows = Math.ceil(places / columns);
    const wide = (width - (columns - 1) * GAP) / columns;
    if (columns > 1 && wide < NARROW) break;
    const high = (height - (rows - 1) * GAP) / rows;
    const score = Math.min(wide / WIDE, high / HIGH) - EMPTY * (columns * rows - places);
    if (!best || score > best.score) best = { columns, rows, wide, high, score };
  }
  return best;
}

export function sizeOf({ wide, high }) {
  if (wide >= 560 && high >= 500) return "huge";
  if (wide >= 340 && high >= 500) return "tall";
  if (wide >= 420 && high >= 280) return "large";
  if (wide >= 290 && high >= 280) return "normal";
  return high >= 190 ? "compact" : "dense";
}

function makeTile() {
  const tile = element("article", "tile");
  const status = element("div", "status");
  const online = element("span", "online");
  online.append(element("span", "share"), element("span", "noun"));
  status.append(element("span", "word"), element("span", "trend"), element("span", "care"), online);
  const figure = element("div", "figure");
  figure.append(element("div", "number"), element("div", "lines"));
  const bars = document.createElementNS(SVG, "svg");
  bars.setAttribute("preserveAspectRatio", "none");
  bars.setAttribute("viewBox", "0 0 240 100");
  for (const name of ["past", "now", "usual"]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    bars.append(path);
  }
  tile.append(element("bdi", "name"), status, figure, element("div", "foot"), bars);
  tile.addEventListener("animationend", () => tile.classList.remove("flash"));
  return tile;
}

function lines(shown) {
  const counts = shown.lines.map(([severity, count, done], index) => ({
    key: severity,
    text: `${done ? "✓ " : ""}${index || shown.unit ? `${words.number(count)} ` : ""}${words.severity(severity, count)}`,
    done,
  }));
  if (shown.unit) {
    const lasts = [words.units[shown.unit], words.care[shown.state]].map((text) => ({ key: text, text, done: false }));
    return [...lasts, ...counts].slice(0, 3);
  }
  return counts.length ? counts : [{ key: "open", text: words.open, done: false }];
}

function foot(shown) {
  if (shown.reason) return { text: shown.reason, name: "foot wrong" };
  if (!shown.hour) return { text: "", name: "foot" };
  const mark = { more: "▲ ", less: "▼ ", "": "" }[shown.hour.unlike];
  const usual = shown.hour.usual === null ? null : words.number(shown.hour.usual);
  const text = mark + words.hour(words.number(shown.hour.count), usual);
  return { text, name: mark ? "foot unlike" : "foot" };
}

// Writes the short name only where the whole one does not fit.
function fit(target, { name, short }) {
  const wanted = `${times}/${drawnFor}/${short}/${name}`;
  if (target.dataset.fit === wanted) return;
  target.dataset.fit = wanted;
  write(target, name);
  if (short && target.scrollWidth > target.clientWidth) write(target, short);
}

function drawTile(tile, shown) {
  dress(tile, `tile ${shown.state}${tile.classList.contains("flash") ? " flash" : ""}`);
  fit(tile.querySelector(".name"), shown);
  write(tile.querySelector(".word"), words.states[shown.state]);
  write(tile.querySelector(".care"), shown.care ? words.care[shown.care] : "");
  const trend = shown.hour?.unlike ? `${shown.hour.unlike === "more" ? "▲" : "▼"} ${words.number(shown.hour.count)}` : "";
  write(tile.querySelector(".trend"), trend);
  const missing = shown.online !== null && shown.online < shown.nodes;
  const share = shown.online === null ? String(shown.nodes) : `${shown.online}/${shown.nodes}`;
  write(tile.querySelector(".share"), shown.nodes ? share : "");
  write(tile.querySelector(".noun"), shown.nodes ? ` ${words.node(shown.nodes)}` : "");
  dress(tile.querySelector(".online"), missing ? "online missing" : "online");
  const number = tile.querySelector(".number");
  write(number, words.number(shown.number));
  number.dataset.length = shown.number.length;
  reconcile(tile.querySelector(".lines"), lines(shown), () => element("i"), (line, told) => {
    dress(line, told.done ? "done" : "");
    write(line, told.text);
  });
  const { text, name } = foot(shown);
  write(tile.querySelector(".foot"), text);
  dress(tile.querySelector(".foot"), name);
}

const bar = (place, height) => (height ? `M${place * 10 + 1} 100v${-height}h8v${height}z` : "");

function drawBars(tile, { counts, usual }) {
  const most = Math.max(1, ...counts, usual ?? 0);
  const heights = counts.map((count) => (count ? Math.max(4, Math.round((100 * count) / most)) : 0));
  const [past, now, line] = tile.querySelectorAll("path");
  line.setAttribute("d", usual === null ? "" : `M227 ${Math.round(99 - (97 * usual) / most)}h13`);
  past.setAttribute("d", heights.slice(0, -1).map((height, index) => bar(index, height)).join(""));
  now.setAttribute("d", heights.length ? bar(heights.length - 1, heights.at(-1)) : "");
}

// Puts the tiles into rows; those of a last row that lacks a few are wider, so that no corner is empty.
function arrange(grid, count, places) {
  const wanted = `${count}/${places}/${innerWidth}/${innerHeight}/${grid.clientHeight}`;
  if (wanted === drawnFor) return;
  drawnFor = wanted;
  const one = unit();
  const found = layout(Math.max(1, places), grid.clientWidth / one - GAP, grid.clientHeight / one);
  const last = places % found.columns;
  const stretched = count === places && last * 2 >= found.columns ? last : 0;
  const tracks = found.columns * (stretched || 1);
  style(grid, "--tracks", tracks);
  style(grid, "--rows", found.rows);
  size = sizeOf(found);
  grid.dataset.size = size;
  spans = { usual: stretched || 1, last: found.columns, from: stretched ? count - stretched : count };
}

export function drawTiles(parts, changed) {
  const { keys, places, page, pages } = parts.get("tiles");
  const grid = find("#tiles");
  grid.dataset.empty = words.waiting;
  reconcile(grid, keys.map((key) => ({ key })), makeTile);
  const before = drawnFor;
  arrange(grid, keys.length, places);
  write(find(".brand small"), pages > 1 ? words.page(page, pages) : "");
  const all = changed.includes("tiles") || before !== drawnFor;
  keys.forEach((key, index) => {
    const tile = grid.children[index];
    style(tile, "--span", index < spans.from ? spans.usual : spans.last);
    if (all || changed.includes(`tile/${key}`)) drawTile(tile, parts.get(`tile/${key}`));
    if (all || changed.includes(`hours/${key}`)) drawBars(tile, parts.get(`hours/${key}`));
  });
}

// After the screen or a font has changed: what was measured counts no more.
export function drawTilesAnew(parts) {
  times += 1;
  drawnFor = "";
  drawTiles(parts, ["tiles"]);
}

export function flash(key) {
  const tile = [...find("#tiles").children].find((child) => child.dataset.key === key);
  tile?.classList.add("flash");
  if (tile) setTimeout(() => tile.classList.remove("flash"), 2_800);
}
