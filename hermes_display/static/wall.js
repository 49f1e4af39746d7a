// Draws what /events sends, part by part. Text of alerts is only ever set as text. The number of elements
// is bounded and they are reused, so that the page can stay open for months.

const OLD_AFTER = 5_000; // ms without a frame; the service sends one every 1.5 s
const RELOAD_AFTER = 60_000; // ms without a frame, after which the page starts anew if the service answers
const PAGE = 20; // tiles at once
const PAGE_TIME = 15_000; // ms each page of tiles is shown where there are more
const SHIFT_TIME = 600_000; // ms between two steps of the picture against burn-in
const NIGHT = "04:00:00"; // the page starts anew, which returns what the browser has grown by

const SIGNS = { critical: "CRIT", high: "HIGH", medium: "MED", low: "LOW", unknown: "?" };
const MARKS = { fault: "×", silent: "?", warning: "!", new: "·", good: "" };

const find = (selector) => document.querySelector(selector);
const parts = new Map();
const tiles = new Map();
let build = "";
let skew = 0; // ms that the service's clock is ahead of this browser's
let heard = performance.now();
let first = true;

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

// Sets text only where it changed: an untouched element costs the browser nothing.
function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function dress(target, name) {
  if (target.className !== name) target.className = name;
}

// Makes the children of a list those of `items`, in order, reusing elements by key.
function reconcile(list, items, make) {
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const child = old.get(item.key) ?? make(item);
    old.delete(item.key);
    child.dataset.key = item.key;
    if (list.children[index] !== child) list.insertBefore(child, list.children[index] ?? null);
  });
  old.forEach((child) => child.remove());
}

const two = (number) => String(number).padStart(2, "0");
const clock = (date) => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");

function duration(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

// Tiles

function makeTile() {
  const tile = element("article", "tile");
  const status = element("div", "status");
  const online = element("span", "online");
  online.append(element("span", "share"), element("span", "noun"));
  status.append(element("span", "word"), online);
  const figure = element("div", "figure");
  figure.append(element("div", "number"), element("div", "label"));
  tile.append(element("bdi", "name"), status, figure, element("div", "counts"));
  return tile;
}

function drawTile(tile, shown) {
  dress(tile, `tile ${shown.state}`);
  write(tile.querySelector(".name"), shown.name);
  write(tile.querySelector(".word"), shown.word);
  write(tile.querySelector(".share"), shown.online);
  write(tile.querySelector(".noun"), ` ${shown.noun}`);
  dress(tile.querySelector(".online"), shown.missing ? "online missing" : "online");
  const number = tile.querySelector(".number");
  write(number, shown.number);
  number.dataset.length = shown.number.length;
  write(tile.querySelector(".label"), shown.label);
  const counts = Object.entries(shown.counts).map(([key, count]) => ({ key, count }));
  reconcile(tile.querySelector(".counts"), counts, ({ key }) => {
    const made = element("div", `count ${key}`);
    made.append(element("b", ""), SIGNS[key]);
    return made;
  });
  counts.forEach(({ key, count }, index) => {
    const cell = tile.querySelector(".counts").children[index];
    write(cell.firstChild, count);
    dress(cell, `count ${key}${count === "0" ? "" : " some"}`);
  });
}

function drawTiles() {
  const all = parts.get("tiles") ?? [];
  const pages = Math.max(1, Math.ceil(all.length / PAGE));
  const page = Math.floor(Date.now() / PAGE_TIME) % pages;
  const shown = all.slice(page * PAGE, (page + 1) * PAGE);
  const number = pages > 1 ? PAGE : shown.length;
  const columns = number <= 2 ? number : number <= 4 ? 2 : number <= 6 ? 3 : number <= 12 ? 4 : 5;
  const grid = find("#tiles");
  grid.style.setProperty("--columns", Math.max(1, columns));
  grid.dataset.size = number <= 2 ? "huge" : number <= 4 ? "large" : number <= 8 ? "normal" : "compact";
  for (const key of tiles.keys()) if (!all.includes(key)) tiles.delete(key);
  reconcile(grid, shown.map((key) => ({ key })), ({ key }) => {
    const tile = tiles.get(key) ?? makeTile();
    tiles.set(key, tile);
    return tile;
  });
  for (const key of shown) {
    const part = parts.get(`tile/${key}`);
    if (part) drawTile(tiles.get(key), part);
  }
}

// Feed and nodes

function makeRow(row) {
  const made = element("li", `${row.severity}${first ? "" : " fresh"}`);
  const head = element("div", "head");
  const time = element("time", "", row.received === null ? "" : clock(new Date(row.received)));
  head.append(element("span", "sign", SIGNS[row.severity]), element("bdi", "client", row.client), time);
  const title = element("div", "title");
  title.append(element("bdi", "", row.count > 1 ? `${row.count} × ${row.title}` : row.title));
  const facts = element("div", "facts");
  row.facts.forEach((fact, index) => facts.append(index ? " · " : "", element("bdi", "", fact)));
  made.append(head, title, facts);
  return made;
}

function drawNodes(nodes) {
  write(find("#nodes h2 span"), nodes.total ? `${nodes.good} of ${nodes.total} healthy` : "");
  const squares = nodes.squares.map((grade, index) => ({ key: `${index}/${grade}`, grade }));
  find(".squares").classList.toggle("many", squares.length > 39);
  reconcile(find(".squares"), squares, ({ grade }) => element("i", grade, MARKS[grade]));
  const worst = nodes.worst.map((node) => ({ ...node, key: `${node.client}/${node.name}/${node.grade}` }));
  reconcile(find("#nodes ul"), worst, (node) => {
    const made = element("li", node.grade);
    made.append(element("bdi", "", `${node.client} / ${node.name}`), element("bdi", ""));
    return made;
  });
  worst.forEach((node, index) => write(find("#nodes ul").children[index].lastChild, node.text));
}

function drawVerdict(verdict) {
  const words = verdict.map((word) => ({ ...word, key: `${word.state}/${word.text}` }));
  reconcile(find("#verdict"), words, (word) => element("span", word.state, word.text));
}

// Whether what is seen is what is

function drawLink() {
  const link = parts.get("link");
  const silence = performance.now() - heard;
  let banner = "";
  let words = "Zeus live";
  if (silence > OLD_AFTER) {
    banner = `Hermes has not answered for ${duration(silence)}. What you see is old.`;
    words = "Hermes away";
  } else if (!link) {
    words = "connecting";
  } else if (!link.up) {
    const away = duration(Date.now() + skew - link.since);
    banner = link.refused
      ? `Zeus does not let this screen in: ${link.reason}`
      : `No contact with Zeus for ${away}. What you see is old.`;
    words = "Zeus away";
  }
  const box = find("#banner");
  box.hidden = !banner;
  write(box, banner);
  document.body.classList.toggle("old", Boolean(banner));
  dress(find("#link"), banner ? "down" : link ? "up" : "");
  write(find("#link span"), words);
}

function take(frame) {
  heard = performance.now();
  skew = frame.now - Date.now();
  for (const [name, part] of Object.entries(frame.parts)) {
    if (part === null) parts.delete(name);
    else parts.set(name, part);
  }
  const changed = Object.keys(frame.parts);
  if (changed.some((name) => name.startsWith("tile"))) drawTiles();
  if (frame.parts.feed) reconcile(find("#feed ol"), frame.parts.feed, makeRow);
  if (frame.parts.nodes) drawNodes(frame.parts.nodes);
  if (frame.parts.verdict) drawVerdict(frame.parts.verdict);
  drawLink();
  if (changed.length) first = false;
}

function follow() {
  const stream = new EventSource("/events");
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.addEventListener("build", (event) => {
    if (build && build !== event.data) location.reload();
    build = event.data;
  });
  stream.onerror = () => {
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 2_000);
  };
}

// A reload while the service is away would leave the browser's own error page on the wall.
async function reload() {
  try {
    const answer = await fetch("/healthz");
    if (answer.ok) location.reload();
  } catch {
    // The banner says it already.
  }
}

function tick() {
  const now = new Date();
  write(find("#clock"), clock(now));
  drawLink();
  if ((parts.get("tiles") ?? []).length > PAGE && now % PAGE_TIME < 1_000) drawTiles();
  const silent = performance.now() - heard;
  if (clock(now) === NIGHT || (silent > RELOAD_AFTER && Math.floor(silent / 1_000) % 10 === 0)) reload();
}

function shift() {
  const step = Math.floor(Date.now() / SHIFT_TIME) % 5;
  document.body.style.transform = `translate(${step}px, ${(step * 2) % 5}px)`;
}

follow();
tick();
shift();
setInterval(tick, 1_000);
setInterval(shift, SHIFT_TIME);
