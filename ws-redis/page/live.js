// SPDX-License-Identifier: Apache-2.0
// The live page: shows what comes over live.v1, says when it does not, and connects again.
"use strict";

const TOP = 15;              // groups shown as bars
const SILENCE_MS_MAX = 5000; // a message comes at least once a second
const WAIT_MS_MIN = 500;
const WAIT_MS_MAX = 10000;

const number = new Intl.NumberFormat("en");
const status = document.getElementById("status");
const sections = new Map(); // by name of stream
let socket = null;
let wait = WAIT_MS_MIN;
let silence = 0;

function say(state, text) {
  if (status.textContent !== text) {
    status.textContent = text;
  }
  status.dataset.state = state;
  document.body.classList.toggle("stale", state !== "live");
}

function sectionOf(stream) {
  let section = sections.get(stream.stream);
  if (!section) {
    section = document.getElementById("stream").content.firstElementChild.cloneNode(true);
    section.querySelector("h2").textContent = stream.title;
    section.querySelector("h3").textContent = stream.count_by ? "Top by " + stream.count_by : "Count";
    document.getElementById("streams").append(section);
    sections.set(stream.stream, section);
  }
  return section;
}

function rowOf(list, index) {
  let row = list.children[index];
  if (!row) {
    row = document.createElement("li");
    row.append(document.createElement("span"), document.createElement("div"), document.createElement("b"));
    row.children[1].append(document.createElement("i"));
    list.append(row);
  }
  return row;
}

function showBars(section, groups) {
  const top = Object.entries(groups).filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, TOP);
  const list = section.querySelector(".bars");
  top.forEach(([name, count], index) => {
    const row = rowOf(list, index);
    row.children[0].textContent = name;
    row.children[0].title = name;
    row.children[1].firstChild.style.width = (100 * count / top[0][1]) + "%";
    row.children[2].textContent = number.format(count);
  });
  while (list.children.length > top.length) {
    list.lastChild.remove();
  }
  section.querySelector(".empty").hidden = top.length > 0;
}

function show(message) {
  for (const stream of message.streams) {
    const section = sectionOf(stream);
    for (const field of ["total", "rate", "unsettled"]) {
      section.querySelector(`[data-field="${field}"]`).textContent = number.format(stream[field]);
    }
    showBars(section, stream.groups);
  }
  document.getElementById("time").textContent = "As of " + new Date(message.time).toLocaleTimeString();
  if (message.live) {
    say("live", "Live");
  } else {
    say("wait", "Not live: Redis does not answer");
  }
}

function listen() {
  clearTimeout(silence);
  silence = setTimeout(() => socket && socket.close(), SILENCE_MS_MAX);
}

function connect() {
  const address = new URL("./", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(address, "live.v1");
  listen();
  socket.onmessage = (event) => {
    wait = WAIT_MS_MIN;
    listen();
    show(JSON.parse(event.data));
  };
  socket.onclose = () => {
    clearTimeout(silence);
    say("wait", "Not live: connecting again…");
    setTimeout(connect, wait * (0.5 + Math.random() / 2));
    wait = Math.min(2 * wait, WAIT_MS_MAX);
  };
}

connect();
