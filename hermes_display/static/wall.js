// Draws what /events sends, part by part, and says so when nothing comes.

import { takeAlarm, tickAlarm } from "./alarm.js";
import { drawTactics, drawTimeline, redraw } from "./charts.js";
import { dress, element, find, reconcile, root, style, write } from "./dom.js";
import { drawFeed, drawRate } from "./feed.js";
import { drawNodes } from "./nodes.js";
import { drawTiles, drawTilesAnew } from "./tiles.js";
import { clock, duration, label, words } from "./words.js";

const OLD_AFTER = 4_000; // ms without a frame; the service sends one every 1.5 s, and people know within 5 s
const RELOAD_AFTER = 60_000; // ms without a frame, after which the page starts anew if the service answers
const SHIFT_TIME = 600_000; // ms between two steps of the picture against burn-in
const NIGHT = 4; // the hour in which the page starts anew, which returns what the browser has grown by
const MANY_STATES = 4; // in the verdict, from which on they are written smaller

const parts = new Map();
let build = "";
let skew = 0; // ms that the service's clock is ahead of this browser's
let heard = performance.now();

function drawVerdict({ states, clients }) {
  const told = states.map(([state, number], index) => ({ key: state, text: words.verdict(state, number, !index) }));
  if (!told.length) told.push(clients ? { key: "quiet", text: words.quiet } : { key: "none", text: words.none });
  const box = find("#verdict");
  dress(box, told.length >= MANY_STATES ? "many" : "");
  reconcile(box, told, ({ key }) => element("span", key), (made, { text }) => write(made, text));
}

// Whether what is seen is what is

function lostFor() {
  const link = parts.get("link");
  const silence = performance.now() - heard;
  if (silence > OLD_AFTER) return [words.silentService(duration(silence)), words.away];
  if (!link || link.up) return ["", link ? words.up : words.connecting];
  if (link.refused) return [words.refused(link.reason), words.down];
  if (link.empty) return [words.never, words.down];
  return [words.lost(duration(Date.now() + skew - link.since)), words.down];
}

function drawLink() {
  const [banner, word] = lostFor();
  const box = find("#banner");
  if (box.hidden === Boolean(banner)) box.hidden = !banner;
  write(box.lastChild, banner);
  dress(document.body, banner ? "old" : "");
  dress(find("#link"), banner ? "down" : parts.has("link") ? "up" : "");
  write(find("#link span"), word);
}

const DRAW = {
  verdict: drawVerdict,
  feed: drawFeed,
  rate: drawRate,
  nodes: drawNodes,
  timeline: drawTimeline,
  tactics: drawTactics,
};

function take(frame) {
  heard = performance.now();
  skew = frame.now - Date.now();
  for (const [name, part] of Object.entries(frame.parts)) {
    if (part === null) parts.delete(name);
    else parts.set(name, part);
  }
  const changed = Object.keys(frame.parts);
  if (changed.some((name) => name.startsWith("tile") || name.startsWith("hours"))) drawTiles(parts, changed);
  for (const name of changed) DRAW[name]?.(frame.parts[name]);
  if (frame.parts.alarm) takeAlarm(frame.parts.alarm);
  drawLink();
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

function isTimeToReload(now) {
  const silent = performance.now() - heard;
  const isNight = now.getHours() === NIGHT && now.getMinutes() === 0 && performance.now() > 3_600_000;
  return isNight || (silent > RELOAD_AFTER && Math.floor(silent / 1_000) % 10 === 0);
}

function tick() {
  const now = new Date();
  write(find("#clock"), clock(now));
  drawLink();
  tickAlarm();
  if (isTimeToReload(now)) reload();
  setTimeout(tick, 1_000 - (Date.now() % 1_000));
}

function shift() {
  const step = Math.floor(Date.now() / SHIFT_TIME) % 5;
  style(root, "--right", step);
  style(root, "--down", (step * 2) % 5);
}

function resize() {
  if (parts.has("tiles")) drawTilesAnew(parts);
  redraw();
}

const scale = Number(root.dataset.scale) || 1;
style(root, "--scale", scale);
root.classList.toggle("large", scale > 1);
label();
follow();
tick();
shift();
setInterval(shift, SHIFT_TIME);
addEventListener("resize", resize);
document.fonts.addEventListener("loadingdone", resize);
