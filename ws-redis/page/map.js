// SPDX-License-Identifier: Apache-2.0
// Countries by colour: five steps, each the same factor above the one before.

import {count, put, setAttribute, share} from "./text.js";
import {height, outlines, points, rest, width} from "./world.js";

const STEPS = 5;
const DOT = 5;
const TOLD = 5; // in the description for those who do not see it
const SVG = "http://www.w3.org/2000/svg";

function shape(kind, attributes) {
  const element = document.createElementNS(SVG, kind);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  return element;
}

function stepOf(value, least, largest) {
  if (!(value > 0)) {
    return 0;
  }
  const part = largest > least ? Math.log(value / least) / Math.log(largest / least) : 1;
  return 1 + Math.min(STEPS - 1, Math.floor(STEPS * part));
}

export class WorldMap {
  #svg;
  #readout;
  #shapes = new Map(); // by name: outline, dot, or both
  #groups = {};
  #total = 0;
  #over = null;

  constructor(figure) {
    this.#svg = figure.querySelector("svg");
    this.#readout = figure.querySelector(".readout");
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.append(shape("path", {d: rest}));
    for (const [name, d] of Object.entries(outlines)) {
      this.#add(name, shape("path", {d, "data-name": name}));
    }
    for (const [name, [cx, cy]] of Object.entries(points)) {
      this.#add(name, shape("circle", {cx, cy, r: DOT, "data-name": name}));
    }
    this.#svg.addEventListener("pointerover", (event) => this.#read(event.target.dataset?.name ?? null));
    this.#svg.addEventListener("pointerleave", () => this.#read(null));
  }

  #add(name, element) {
    this.#svg.append(element);
    this.#shapes.set(name, [...this.#shapes.get(name) ?? [], element]);
  }

  #read(name) {
    this.#over = name;
    const value = this.#groups[name] ?? 0;
    put(this.#readout, name === null ? "" : `${name}: ${count(value)} (${share(value, this.#total)})`);
  }

  // groups: name -> count; top: its largest, in order.
  draw(groups, top, total) {
    const known = top.filter(([name]) => this.#shapes.has(name));
    const largest = known.length > 0 ? known[0][1] : 0;
    const least = known.length > 0 ? known[known.length - 1][1] : 0;
    this.#groups = groups;
    this.#total = total;
    for (const [name, elements] of this.#shapes) {
      const step = stepOf(groups[name], least, largest);
      for (const element of elements) {
        if (step > 0) {
          setAttribute(element, "class", `step-${step}`);
        } else {
          element.removeAttribute("class");
        }
      }
    }
    const told = known.slice(0, TOLD).map(([name]) => name).join(", ");
    setAttribute(this.#svg, "aria-label",
      `World map, darker or brighter where more was counted. ${told ? `Most: ${told}. ` : ""}The table below has all numbers.`);
    this.#read(this.#over);
  }
}
