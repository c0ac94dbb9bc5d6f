// SPDX-License-Identifier: Apache-2.0
// One stream on the page: its figures, chart, groups and how far the archive is.

import {Chart} from "./chart.js";
import {WorldMap} from "./map.js";
import {count, put, rate, setAttribute, share, time} from "./text.js";

const TOP = 12; // groups shown as bars
const LAG_MS_MAX = 10000; // no consumer was heard of for longer: nothing is proven

function byCount(groups) {
  return Object.entries(groups).filter(([, value]) => value > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function make(kind, ...children) {
  const element = document.createElement(kind);
  element.append(...children);
  return element;
}

// What an event says, without what we added to it; other text as it is.
function eventText(json) {
  try {
    const event = Object.entries(JSON.parse(json)).filter(([name]) => name !== "id" && name !== "received_at");
    return event.map(([, value]) => (typeof value === "string" ? value : JSON.stringify(value))).join(" · ");
  } catch {
    return json;
  }
}

// As many children as there are items, each shown by show(child, item).
function list(parent, items, create, show) {
  while (parent.children.length > items.length) {
    parent.lastElementChild.remove();
  }
  items.forEach((item, index) => {
    if (!parent.children[index]) {
      parent.append(create());
    }
    show(parent.children[index], item);
  });
}

export class Stream {
  #section;
  #chart;
  #map = null;
  #all;

  constructor(template, message) {
    this.#section = template.content.firstElementChild.cloneNode(true);
    this.#section.id = `stream-${message.stream}`;
    this.#section.dataset.stream = message.stream;
    const title = this.#section.querySelector("h2");
    title.textContent = message.title;
    title.id = `title-${message.stream}`;
    this.#section.setAttribute("aria-labelledby", title.id);
    this.#section.querySelector(".most h3").textContent = message.count_by ? `Most by ${message.count_by}` : "Events";
    this.#all = this.#section.querySelector(".all");
    this.#all.querySelector(".scroll").setAttribute("aria-label", `Counts of ${message.title}`);
    this.#all.addEventListener("toggle", () => this.#last && this.#table(this.#last));
    this.#chart = new Chart(this.#section.querySelector(".chart"));
    if (message.groups_are === "countries") {
      const figure = this.#section.querySelector(".map");
      figure.hidden = false;
      this.#section.querySelector(".groups").classList.add("mapped");
      this.#map = new WorldMap(figure);
      put(this.#all.querySelector("summary"), "All countries as a table");
      put(this.#all.querySelector("th"), "Country");
    }
  }

  #last = null;

  get element() {
    return this.#section;
  }

  get mapped() {
    return this.#map !== null;
  }

  #put(field, text) {
    put(this.#section.querySelector(`[data-field="${field}"]`), text);
  }

  history(seconds) {
    this.#chart.add(seconds);
    this.#chart.draw();
  }

  // now: the server's clock, milliseconds.
  show(message, now) {
    const ranked = byCount(message.groups);
    this.#last = {message, ranked};
    this.#chart.add(message.seconds);
    this.#chart.draw();
    this.#put("total", count(message.total));
    this.#put("rate", rate(message.rate));
    this.#put("peak", count(this.#chart.peak));
    this.#bars(ranked.slice(0, TOP));
    this.#map?.draw(message.groups, ranked, message.total);
    this.#table(this.#last);
    this.#lag(message, now);
    this.#recent(message.recent);
  }

  #bars(top) {
    const largest = top.length > 0 ? top[0][1] : 1;
    const create = () => make("li", make("span"), make("div", make("i")), make("b"));
    list(this.#section.querySelector(".bars"), top, create, (row, [name, value]) => {
      put(row.children[0], name);
      setAttribute(row.children[0], "title", name);
      row.children[1].firstChild.style.width = `${100 * value / largest}%`;
      put(row.children[2], count(value));
    });
    this.#section.querySelector(".empty").hidden = top.length > 0;
  }

  #table({message, ranked}) {
    if (!this.#all.open) {
      return;
    }
    const create = () => {
      const name = make("th");
      name.scope = "row";
      name.style.fontWeight = "400";
      return make("tr", name, make("td"), make("td"));
    };
    list(this.#all.querySelector("tbody"), ranked, create, (row, [name, value]) => {
      put(row.children[0], name);
      put(row.children[1], count(value));
      put(row.children[2], share(value, message.total));
    });
  }

  #lag({lag}, now) {
    const badge = this.#section.querySelector(".badge");
    this.#section.querySelector(".flow").hidden = !lag;
    if (!lag) {
      setAttribute(badge, "data-exact", "unknown");
      this.#put("exact", "Not audited yet");
      return;
    }
    const toCount = Math.max(0, lag.in_kafka - lag.counted);
    const toArchive = Math.max(0, lag.in_kafka - lag.archived);
    const toSettle = Math.max(toArchive, lag.in_kafka - lag.settled);
    this.#put("in_kafka", count(lag.in_kafka));
    this.#put("counted", count(lag.counted));
    this.#put("archived", count(lag.archived));
    this.#put("counted_lag", toCount > 0 ? `${count(toCount)} to count` : "all of them");
    this.#put("archived_lag", toArchive > 0 ? `${count(toArchive)} to archive` : "all of them");
    if (now - lag.at_ms > LAG_MS_MAX) {
      setAttribute(badge, "data-exact", "unknown");
      this.#put("exact", `Not audited since ${time(lag.at_ms)}`);
    } else if (lag.exact) {
      setAttribute(badge, "data-exact", "exact");
      this.#put("exact", "Exact: Kafka = Redis = MongoDB");
    } else {
      setAttribute(badge, "data-exact", "behind");
      this.#put("exact", toSettle > 0 ? `Catching up: ${count(toSettle)} to check` : "Catching up");
    }
  }

  #recent(texts) {
    this.#section.querySelector(".recent").hidden = !texts || texts.length === 0;
    list(this.#section.querySelector(".recent ul"), texts ?? [], () => make("li"),
      (row, text) => put(row, eventText(text)));
  }
}
