// The last day: how many alerts came when, and to what end.

import { colour, element, find, reconcile, style, unit, write } from "./dom.js";
import { words } from "./words.js";

const QUARTER = 900_000; // ms
const LANE = 48; // units: criticals and highs, which would vanish in the volume
const LABELS = 30; // units below, for the hours
const GAP = 10; // units between lane and volume
const EVERY = 3; // hours between two labels

let drawn = null;

export function drawTimeline(timeline) {
  drawn = timeline;
  const canvas = find("#timeline canvas");
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
  if (!width || !height) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (timeline) draw(pen, timeline, width, height, unit() * ratio);
}

function draw(pen, { end, quarters }, width, height, one) {
  const step = width / quarters.length;
  const lane = LANE * one;
  const bottom = height - LABELS * one;
  const room = bottom - lane - GAP * one;
  const highs = Math.max(4, ...quarters.map(([, high]) => high));
  const volume = Math.max(8, ...quarters.map(([, , medium, low]) => medium + low));
  pen.fillStyle = colour("--lane");
  pen.fillRect(0, 0, width, lane);
  const fill = (name, place, top, tall, thick = 0.8) => {
    pen.fillStyle = colour(name);
    pen.fillRect(place * step, top, Math.max(1, step * thick), tall);
  };
  quarters.forEach(([critical, high, medium, low], place) => {
    if (high) fill("--high-mark", place, lane - Math.max(0.25, high / highs) * lane, Math.max(0.25, high / highs) * lane);
    if (critical) fill("--critical-mark", place, 0, lane, 1);
    const [lows, mediums] = [(low / volume) * room, (medium / volume) * room];
    if (low) fill("--low-mark", place, bottom - lows, lows);
    if (medium) fill("--medium-mark", place, bottom - lows - mediums, mediums);
  });
  hours(pen, end, quarters.length, step, height, bottom, one);
}

function hours(pen, end, count, step, height, bottom, one) {
  pen.fillStyle = colour("--faint");
  pen.font = `500 ${22 * one}px ${getComputedStyle(document.body).fontFamily}`;
  pen.textAlign = "center";
  pen.textBaseline = "bottom";
  const start = end - count * QUARTER;
  for (let place = 0; place < count; place += 1) {
    const time = new Date(start + place * QUARTER);
    const x = place * step;
    if (time.getMinutes() || time.getHours() % EVERY || x < 30 * one || x > count * step - 30 * one) continue;
    pen.fillRect(x, bottom, Math.max(1, one), 5 * one);
    pen.fillText(`${String(time.getHours()).padStart(2, "0")}h`, x, height);
  }
}

export function drawTactics(tactics) {
  const items = tactics.map(([name, count, share]) => ({ key: name, name, count, share }));
  const make = ({ name }) => {
    const made = element("li");
    made.append(element("i"), element("bdi", "", words.tactic(name)), element("b"));
    return made;
  };
  reconcile(find("#tactics ol"), items, make, (made, { count, share }) => {
    style(made, "--share", share);
    write(made.lastChild, words.number(count));
  });
}

export const redraw = () => drawTimeline(drawn);
