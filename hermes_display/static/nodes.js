// The nodes: a square each, and the worst by name.

import { element, find, reconcile, write } from "./dom.js";
import { aged, words } from "./words.js";

const MARKS = { blind: "×", silent: "?", late: "…", care: "!", new: "·", good: "", off: "" };
const MANY = 24; // squares in two rows
const VERY_MANY = 60;

function told(node) {
  if (node.grade === "silent") return `${words.silentNode} ${aged(node.age)}`.trim();
  return node.grade === "new" ? words.newNode : node.text;
}

export function drawNodes(nodes) {
  write(find("#nodes h2 small"), nodes.total ? words.healthy(nodes.good, nodes.total) : "");
  const squares = nodes.squares.map((grade, index) => ({ key: `${index}/${grade}`, grade }));
  find(".squares").dataset.size = squares.length > VERY_MANY ? "tiny" : squares.length > MANY ? "small" : "";
  reconcile(find(".squares"), squares, ({ grade }) => element("i", grade, MARKS[grade]));
  const worst = nodes.worst.map((node) => ({ ...node, key: `${node.client}/${node.name}/${node.grade}` }));
  const make = (node) => {
    const made = element("li", node.grade);
    made.append(element("bdi", "", node.name), element("bdi"));
    return made;
  };
  reconcile(find("#nodes ul"), worst, make, (made, node) => write(made.lastChild, told(node)));
}
