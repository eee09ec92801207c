// Events to Poise, and recommendations from it, for the pages of a shop. No dependencies; types are in poise.d.ts.
// Events are sent together; those that wait when the page is left go with navigator.sendBeacon. Each has an id of its
// own, so that one which is sent twice counts once.

const MOST_BYTES = 60_000; // of a body: browsers let requests that outlive the page hold 64 kB
const MOST_WAITING = 1_000; // events; beyond, the oldest are dropped
const LONGEST_PAUSE = 60; // seconds between attempts while the server does not answer
const PASSING = [408, 425, 429, 500, 502, 503, 504]; // answers after which it is worth trying again

export class Poise {
  /** @param {import("./poise").Options} options */
  constructor({ url, userId = null, writeKey = null, readKey = null, size = 20, seconds = 5, timeout = 1000 }) {
    Object.assign(this, { userId, size, seconds, timeout, dropped: 0 });
    this._url = url.replace(/\/+$/, "");
    this._eventsUrl = `${this._url}/v1/events${writeKey ? `?key=${encodeURIComponent(writeKey)}` : ""}`;
    this._readHeaders = { "Content-Type": "application/json", ...(readKey && { Authorization: `Bearer ${readKey}` }) };
    /** @type {import("./poise").Event[]} */ this._waiting = [];
    /** @type {import("./poise").Event[]} */ this._underWay = [];
    this._failures = 0;
    this._leave = ({ type }) => (type === "pagehide" || document.visibilityState === "hidden") && this._beacon();
    document.addEventListener("visibilitychange", this._leave);
    window.addEventListener("pagehide", this._leave);
  }

  /** @param {import("./poise").Event} event @returns {string} the id of the event */
  send(event) {
    const sent = { event_id: newId(), ...(this.userId !== null && { user_id: this.userId }), ...event };
    if (!sent.user_id) throw new Error("poise: an event needs a user_id: give it, or set userId");
    this._waiting.push(sent);
    if (this._waiting.length > MOST_WAITING) this.dropped += this._waiting.splice(0, 1).length;
    if (this._waiting.length >= this.size && !this._failures) this.flush();
    else this._later();
    return sent.event_id;
  }

  /** @param {import("./poise").Slate} slate @param {string} itemId @param {Partial<import("./poise").Event>} [more] */
  click(slate, itemId, more = {}) {
    return this.send({ behaviour: "click", request_id: slate.request_id, ...more, item_id: itemId });
  }

  /** Sends what waits. @returns {Promise<void>} */
  async flush() {
    clearTimeout(this._timer);
    this._timer = undefined;
    if (this._sending) return this._later();
    this._sending = true;
    while (this._waiting.length) {
      const [part, body] = take(this._waiting);
      this._underWay = part;
      const done = await this._post(body);
      this._underWay = [];
      this._failures = done ? 0 : this._failures + 1;
      if (!done) this._waiting.unshift(...part);
      if (!done) break;
    }
    this._sending = false;
    this._later();
  }

  /** @param {import("./poise").RecommendationRequest} [request] @returns {Promise<import("./poise").Slate>} */
  async recommend({ timeout = this.timeout, ...request } = {}) {
    const user = this.userId !== null && !request.history && { user_id: this.userId };
    const body = JSON.stringify({ ...user, ...request });
    const [method, headers, signal] = ["POST", this._readHeaders, AbortSignal.timeout(timeout)];
    const answer = await fetch(`${this._url}/v1/recommendations`, { method, headers, body, signal });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(`poise: ${answer.status} ${said.title ?? ""}: ${said.detail ?? ""}`);
    return said;
  }

  /** Sends what waits and listens no more. */
  close() {
    this._beacon();
    clearTimeout(this._timer);
    document.removeEventListener("visibilitychange", this._leave);
    window.removeEventListener("pagehide", this._leave);
  }

  _later() {
    if (this._timer !== undefined || !this._waiting.length) return;
    const pause = Math.min(this.seconds * 2 ** this._failures, Math.max(this.seconds, LONGEST_PAUSE));
    this._timer = setTimeout(() => this.flush(), pause * 1000 * (1 - 0.3 * Math.random()));
  }

  /** @param {string} body @returns {Promise<boolean>} whether it is done with: taken, or refused for good */
  async _post(body) {
    try {
      const answer = await fetch(this._eventsUrl, { method: "POST", body: asText(body), keepalive: true });
      const said = await answer.json().catch(() => ({}));
      if (PASSING.includes(answer.status)) return false;
      if (!answer.ok) console.warn(`poise: events were refused: ${answer.status} ${said.detail ?? ""}`);
      for (const one of said.refused ?? []) console.warn(`poise: an event was refused: ${one.reason}`);
      return true;
    } catch {
      return false;
    }
  }

  /** Hands all that waits to the browser, what is under way once more: the page may end before that arrives. */
  _beacon() {
    this._waiting.unshift(...this._underWay);
    while (this._waiting.length) {
      const [part, body] = take(this._waiting);
      if (navigator.sendBeacon(this._eventsUrl, asText(body))) continue;
      this._waiting.unshift(...part); // the browser has no room; the page may come back
      return this._later();
    }
  }
}

/** Text needs no preflight request, which a page that is being left could not wait for. @param {string} body */
const asText = (body) => new Blob([body], { type: "text/plain" });

/** Random, also where crypto.randomUUID is missing, as on pages without TLS. */
const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

/** Takes as many events as fit into a body off `events`. @param {object[]} events @returns {[object[], string]} */
function take(events) {
  const rows = [];
  for (let bytes = 20; rows.length < events.length; ) {
    rows.push(JSON.stringify(events[rows.length]));
    bytes += new TextEncoder().encode(rows.at(-1)).length + 1;
    if (rows.length > 1 && bytes > MOST_BYTES && rows.pop()) break;
  }
  return [events.splice(0, rows.length), `{"events":[${rows.join(",")}]}`];
}
