// SPDX-License-Identifier: Apache-2.0
// The live page: shows what comes over live.v1, and says since when nothing does.

import {Connection} from "./connection.js";
import {showPrograms} from "./programs.js";
import {Stream} from "./stream.js";
import {count, put, rate, time} from "./text.js";

const SPOKEN_MS = 30000; // between two summaries for screen readers

const status = document.getElementById("status");
const pause = document.getElementById("pause");
const streams = new Map(); // by name
let histories = {}; // of streams that were not shown yet
let newest = null; // the message that is or will be shown
let drawn = false; // whether a frame is asked for
let paused = false;
let connected = false;
let liveAt = null; // when the numbers were last live
let spokenAt = Date.now();

function say() {
  const since = liveAt === null ? "" : ` since ${time(liveAt)}`;
  let state = "wait";
  let text = liveAt === null ? "Connecting…" : `Not live${since}: connecting again`;
  if (paused) {
    text = `Paused${since}`;
  } else if (connected && newest !== null && newest.live) {
    state = "live";
    text = "Live";
  } else if (connected && newest !== null) {
    text = `Not live${since}: Redis does not answer`;
  }
  put(status, text);
  status.dataset.state = state;
  document.body.dataset.state = state;
}

function streamOf(message) {
  let stream = streams.get(message.stream);
  if (!stream) {
    stream = new Stream(document.getElementById("stream"), message);
    streams.set(message.stream, stream);
    document.getElementById("streams").append(stream.element);
    const link = document.createElement("a");
    link.href = `#${stream.element.id}`;
    link.textContent = message.title;
    const item = document.createElement("li");
    item.append(link);
    const nav = document.getElementById("streams-nav");
    nav.firstElementChild.append(item);
    nav.hidden = streams.size < 2;
    document.getElementById("credit").hidden &&= !stream.mapped;
  }
  if (histories[message.stream]) {
    stream.history(histories[message.stream]);
    delete histories[message.stream];
  }
  return stream;
}

// For those who listen, not at every change.
function speak() {
  if (newest === null || Date.now() - spokenAt < SPOKEN_MS) {
    return;
  }
  spokenAt = Date.now();
  put(document.getElementById("spoken"), newest.streams.map((stream) =>
    `${stream.title}: ${count(stream.total)} counted, ${rate(stream.rate)} per second.`).join(" "));
}

function draw() {
  drawn = false;
  if (paused || newest === null) {
    return;
  }
  const now = Date.parse(newest.time);
  for (const message of newest.streams) {
    streamOf(message).show(message, now);
  }
  showPrograms(document.getElementById("programs"), newest.programs, now);
  put(document.getElementById("time"), `As of ${time(Date.parse(newest.as_of ?? newest.time))}`);
  speak();
}

function drawSoon() {
  if (!drawn) {
    drawn = true;
    requestAnimationFrame(draw);
  }
}

function onMessage(message) {
  if (message.history) {
    histories = message.history;
  } else {
    newest = message;
    if (message.live && !paused) {
      liveAt = Date.now();
    } else if (message.as_of && liveAt === null) {
      liveAt = Date.parse(message.as_of);
    }
  }
  say();
  drawSoon();
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", paused);
  say();
  drawSoon();
});

new Connection({
  onMessage,
  onOpen: () => {
    connected = true;
    newest = null; // what was before the break does not count as live
  },
  onLost: () => {
    connected = false;
    say();
  },
});
