// SPDX-License-Identifier: Apache-2.0
// The WebSocket to ws-redis: notices when it is gone, and connects again by itself.

const SILENCE_MS_MAX = 5000; // a message comes at least every two seconds
const WAIT_MS_MIN = 400;
const WAIT_MS_MAX = 8000;

// onMessage(object), onOpen(), onLost(): each time there is one.
export class Connection {
  #handlers;
  #socket = null;
  #wait = WAIT_MS_MIN;
  #silence = 0;
  #retry = 0;

  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
    this.#connect();
  }

  // Somebody came back: no need to wait.
  #now() {
    if (this.#retry !== 0) {
      this.#connect();
    }
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const address = new URL("./", location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, "live.v1");
    this.#socket = socket;
    this.#listen();
    socket.onopen = () => this.#handlers.onOpen();
    socket.onclose = () => this.#lost(socket);
    socket.onmessage = (event) => {
      if (socket === this.#socket) {
        this.#wait = WAIT_MS_MIN;
        this.#listen();
        this.#handlers.onMessage(JSON.parse(event.data));
      }
    };
  }

  #listen() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = setTimeout(() => this.#lost(socket), SILENCE_MS_MAX);
  }

  // Does not wait for the other side to close: it may be gone without a word.
  #lost(socket) {
    if (socket !== this.#socket) {
      return;
    }
    this.#socket = null;
    clearTimeout(this.#silence);
    socket.close();
    this.#handlers.onLost();
    this.#retry = setTimeout(() => this.#connect(), this.#wait * (0.5 + Math.random()));
    this.#wait = Math.min(2 * this.#wait, WAIT_MS_MAX);
  }
}
