// SPDX-License-Identifier: Apache-2.0
// Which programs are there, and what they say of themselves.

import {put, setAttribute} from "./text.js";

const EXPECTED = ["api", "grpc-server", "kafka-consumer", "ws-redis"];
const SILENT_MS = 7000; // each says something every two seconds

function healthOf(program, now) {
  const silent = now - program.at_ms;
  if (silent > SILENT_MS) {
    return ["silent", `silent for ${Math.round(silent / 1000)} s`];
  }
  if (program.ready && (program.state === "running" || program.state === "ready")) {
    return ["ready", "ready"];
  }
  return ["waiting", program.state === "running" || program.state === "ready" ? "not ready" : program.state];
}

// programs: from the message, or null; now: the server's clock.
export function showPrograms(section, programs, now) {
  section.hidden = !programs;
  const heard = new Set((programs ?? []).map((program) => program.program));
  const missing = EXPECTED.filter((name) => !heard.has(name)).map((name) => ({program: name, instance: ""}));
  const all = [...programs ?? [], ...missing].sort((a, b) => (a.program < b.program ? -1 : a.program > b.program ? 1 : 0));
  const parent = section.querySelector("ul");
  while (parent.children.length > all.length) {
    parent.lastElementChild.remove();
  }
  all.forEach((program, index) => {
    if (!parent.children[index]) {
      const row = document.createElement("li");
      row.append(document.createElement("b"), document.createElement("span"));
      parent.append(row);
    }
    const row = parent.children[index];
    const [health, text] = program.instance === "" ? ["silent", "not heard of"] : healthOf(program, now);
    put(row.querySelector("b"), program.program);
    put(row.querySelector("span"), program.instance === "" ? text : `${text} · ${program.instance}`);
    setAttribute(row, "data-program", program.program);
    setAttribute(row, "data-health", health);
  });
}
