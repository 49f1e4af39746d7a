// A new critical alert: a panel over the bottom row, the client's tile flashes, and a tone where that is set.
// What came before this page was there is no news.

import { element, find, root, style, write } from "./dom.js";
import { flash } from "./tiles.js";
import { clock, words } from "./words.js";

const LASTS = 20; // seconds
const HOLDS = 2_000; // ms that one alert is shown at least, however many come; a flash lasts longer than that
const TONE = 880; // Hz

let seen = null; // how many alarms there were
let since = 0; // how many when the panel came
let waiting = null;
let shown = null;
let shownAt = 0;
let soundedAt = -Infinity;

function sound() {
  if (root.dataset.sound !== "on" || performance.now() - soundedAt < LASTS * 1_000) return;
  soundedAt = performance.now();
  const audio = new AudioContext();
  const tone = new OscillatorNode(audio, { frequency: TONE });
  const loud = new GainNode(audio, { gain: 0 });
  loud.gain.setValueAtTime(0.0001, audio.currentTime);
  loud.gain.exponentialRampToValueAtTime(0.4, audio.currentTime + 0.03);
  loud.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + 1.1);
  tone.connect(loud).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 1.2);
  setTimeout(() => audio.close(), HOLDS); // where the browser allows no sound, the tone never ends
}

function show(row) {
  const panel = find("#alarm");
  if (panel.hidden) sound();
  panel.hidden = false;
  write(panel.querySelector(".client"), row.client);
  write(panel.querySelector(".title"), row.title);
  const time = row.received === null ? [] : [clock(new Date(row.received))];
  const facts = panel.querySelector(".facts");
  facts.replaceChildren();
  [...time, ...row.facts, ...(row.source ? [row.source] : [])].forEach((fact, index) => {
    facts.append(index ? " · " : "", element("bdi", "", fact));
  });
  write(panel.querySelector(".more"), seen - since > 1 ? words.more(seen - since - 1) : "");
  if (shown?.tile !== row.tile || performance.now() - shownAt > 3_000) flash(row.tile);
  shown = row;
  shownAt = performance.now();
  waiting = null;
  tickAlarm();
}

// `taken` are those about which somebody has done something. Fewer than before: this screen was shut out, or
// its service began anew, and nothing of what it showed is left.
export function takeAlarm({ number, taken, newest }) {
  const isNews = seen !== null && number > seen;
  const isOver = (row) => row && (number < seen || taken.includes(row.key));
  if (isOver(waiting)) waiting = null;
  if (isOver(shown)) hide();
  if (seen === null || find("#alarm").hidden) since = isNews ? seen : number;
  seen = number;
  if (!isNews || !newest) return;
  waiting = newest;
  if (!shown || performance.now() - shownAt >= HOLDS) show(newest);
}

function hide() {
  find("#alarm").hidden = true;
  shown = null;
}

// Called once a second: the time that is left goes in steps, so that nothing moves between them.
export function tickAlarm() {
  if (waiting && (!shown || performance.now() - shownAt >= HOLDS)) show(waiting);
  if (!shown) return;
  const left = LASTS - Math.floor((performance.now() - shownAt) / 1000);
  if (left <= 0) hide();
  else style(find("#alarm .left"), "transform", `scaleX(${left / LASTS})`);
}
