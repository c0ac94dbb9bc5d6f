// SPDX-License-Identifier: Apache-2.0
// Events per second over the last minutes, as an area that a pointer or the arrow keys can read.

import {count, put, setAttribute, time} from "./text.js";

export const SECONDS = 300;

// 1, 2 or 5 times a power of ten, at least `value`.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value);
}

export class Chart {
  #plot;
  #line;
  #area;
  #cursor;
  #scale;
  #readout;
  #seconds = new Map(); // Unix second -> events
  #newest = 0;
  #at = null; // seconds back from the newest that are read; null: none

  constructor(figure) {
    this.#plot = figure.querySelector(".plot");
    this.#line = figure.querySelector(".line");
    this.#area = figure.querySelector(".area");
    this.#cursor = figure.querySelector(".cursor");
    this.#scale = figure.querySelector(".scale");
    this.#readout = figure.querySelector(".readout");
    this.#plot.addEventListener("pointermove", (event) => {
      const box = this.#plot.getBoundingClientRect();
      this.#read(Math.round((1 - (event.clientX - box.left) / box.width) * (SECONDS - 1)));
    });
    this.#plot.addEventListener("pointerleave", () => this.#read(null));
    this.#plot.addEventListener("focus", () => this.#read(this.#at ?? 0));
    this.#plot.addEventListener("blur", () => this.#read(null));
    this.#plot.addEventListener("keydown", (event) => this.#key(event));
  }

  // {"to": second, "accepted": [...]}, or null; later ones win.
  add(seconds) {
    if (!seconds) {
      return;
    }
    if (seconds.to < this.#newest - SECONDS) {
      this.#seconds.clear(); // the server's clock was set back
      this.#newest = 0;
    }
    const first = seconds.to - seconds.accepted.length + 1;
    seconds.accepted.forEach((accepted, index) => this.#seconds.set(first + index, accepted));
    this.#newest = Math.max(this.#newest, seconds.to);
    for (const second of this.#seconds.keys()) {
      if (second <= this.#newest - SECONDS) {
        this.#seconds.delete(second);
      }
    }
  }

  get peak() {
    return Math.max(0, ...this.#seconds.values());
  }

  draw() {
    const top = roundUp(this.peak * 1.05);
    let line = "";
    let area = "";
    let start = null; // of the run of known seconds under way
    for (let x = 0; x <= SECONDS; x++) {
      const accepted = x < SECONDS ? this.#seconds.get(this.#newest - SECONDS + 1 + x) : undefined;
      if (accepted === undefined) {
        area += start === null ? "" : `L${x - 1} 100Z`;
        start = null;
        continue;
      }
      const y = (100 - 100 * accepted / top).toFixed(2);
      line += start === null ? `M${x} ${y}` : `L${x} ${y}`;
      area += start === null ? `M${x} 100L${x} ${y}` : `L${x} ${y}`;
      start ??= x;
    }
    setAttribute(this.#line, "d", line);
    setAttribute(this.#area, "d", area);
    put(this.#scale, this.#newest > 0 ? `${count(top)} per second` : "");
    this.#read(this.#at);
  }

  #read(back) {
    this.#at = back === null ? null : Math.min(Math.max(back, 0), SECONDS - 1);
    this.#plot.classList.toggle("reads", this.#at !== null && this.#newest > 0);
    const second = this.#newest - (this.#at ?? 0);
    const accepted = this.#seconds.get(second);
    const text = this.#newest === 0 ? "nothing seen yet"
      : `${time(second * 1000)}: ${accepted === undefined ? "not known" : `${count(accepted)} per second`}`;
    put(this.#readout, this.#at === null || this.#newest === 0 ? "" : text);
    if (this.#at !== null) {
      const x = SECONDS - 1 - this.#at;
      setAttribute(this.#cursor, "x1", x);
      setAttribute(this.#cursor, "x2", x);
      setAttribute(this.#plot, "aria-valuenow", -this.#at);
      setAttribute(this.#plot, "aria-valuetext", text);
    }
  }

  #key(event) {
    const step = {ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 30, PageUp: -30}[event.key];
    const at = {Home: SECONDS - 1, End: 0}[event.key] ?? (step ? (this.#at ?? 0) + step : null);
    if (at !== null) {
      event.preventDefault();
      this.#read(at);
    }
  }
}
