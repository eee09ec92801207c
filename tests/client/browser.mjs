// Run by test_browser.py, against its server.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

const server = process.env.POISE_SERVER;
const { Poise } = await import(process.env.POISE_SNIPPET);

const tell = (path, body) => fetch(server + path, { method: "POST", body: JSON.stringify(body) });
const state = async () => (await fetch(`${server}/test/state`)).json();
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const until = async (true_) => {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await true_()) return;
    await pause(0.01);
  }
  assert.fail("it did not come to be");
};
const ids = (found) => Object.values(found.events).map((one) => one.item_id);

let beacons, roomForBeacons, made;

beforeEach(async () => {
  await tell("/test/reset", {});
  globalThis.window = new EventTarget();
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  [beacons, roomForBeacons, made] = [[], true, []];
  const sendBeacon = (url, body) => {
    if (roomForBeacons) beacons.push(fetch(url, { method: "POST", body }).then((answer) => answer.status));
    return roomForBeacons;
  };
  Object.defineProperty(globalThis, "navigator", { value: { sendBeacon }, configurable: true });
});

afterEach(async () => {
  for (const one of made) one.close();
  await Promise.allSettled(beacons);
});

function connect(options) {
  made.push(new Poise({ url: `${server}/`, userId: "anna", writeKey: "poise_w_s&cret", ...options }));
  return made.at(-1);
}

test("events go together when there are enough", async () => {
  const poise = connect({ size: 3, seconds: 60 });
  poise.send({ item_id: "a" });
  poise.send({ item_id: "b", behaviour: "cart", value: 2, context: { device: "phone" } });
  await pause(0.05);
  assert.equal((await state()).seen.length, 0);
  const id = poise.send({ item_id: "c", user_id: "ben" });
  await until(async () => ids(await state()).length === 3);
  const { events, seen } = await state();
  assert.equal(seen.length, 1);
  assert.equal(events[id].user_id, "ben");
  const cart = Object.values(events).find((one) => one.behaviour === "cart");
  assert.deepEqual([cart.user_id, cart.value, cart.context], ["anna", 2, { device: "phone" }]);
  assert.match(id, /^[0-9a-f]{32}$/);
});

test("no preflight is needed: the key stands in the address and the body is text", async () => {
  const poise = connect({ size: 1 });
  poise.send({ item_id: "a" });
  await until(async () => (await state()).seen.length === 1);
  const [{ path, query, headers }] = (await state()).seen;
  assert.equal(path, "/v1/events");
  assert.deepEqual(query, { key: "poise_w_s&cret" });
  assert.equal(headers["content-type"], "text/plain");
  assert.equal(headers.authorization, undefined);
});

test("events go after a while", async () => {
  const poise = connect({ seconds: 0.05 });
  poise.send({ item_id: "a" });
  await until(async () => ids(await state()).length === 1);
  poise.send({ item_id: "b" });
  await until(async () => ids(await state()).length === 2);
});

test("what the server did not take is sent again, and counts once", async () => {
  await tell("/test/fail", [{ status: 503 }, { status: 429 }, { lost: true }, { dropped: true }]);
  const poise = connect({ size: 2, seconds: 0.02 });
  poise.send({ item_id: "a" });
  poise.send({ item_id: "b" });
  await until(async () => (await state()).seen.length === 5);
  assert.deepEqual(ids(await state()), ["a", "b"]);
  await pause(0.1);
  assert.equal((await state()).seen.length, 5);
});

test("what is refused for good is said and not sent again", async () => {
  const [warn, said] = [console.warn, []];
  console.warn = (line) => said.push(line);
  await tell("/test/fail", [{ status: 401 }]);
  const poise = connect({ size: 1, seconds: 0.02 });
  poise.send({ item_id: "a" });
  await until(() => said.length === 1);
  poise.send({ item_id: "" });
  await until(() => said.length === 2);
  console.warn = warn;
  assert.deepEqual(said, ["poise: events were refused: 401 on purpose", "poise: an event was refused: item_id is empty"]);
  assert.equal((await state()).seen.length, 2);
});

test("a page that is hidden or left hands its events to the browser", async () => {
  const poise = connect({ seconds: 60 });
  poise.send({ item_id: "a" });
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(beacons.length, 0);
  document.visibilityState = "hidden";
  document.dispatchEvent(new Event("visibilitychange"));
  assert.equal(beacons.length, 1);
  poise.send({ item_id: "b" });
  window.dispatchEvent(new Event("pagehide"));
  window.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(await Promise.all(beacons), [200, 200]);
  const { events, seen } = await state();
  assert.equal(Object.keys(events).length, 2);
  assert.ok(seen.every(({ query, headers }) => query.key === "poise_w_s&cret" && headers["content-type"] === "text/plain"));
});

test("events that are under way when the page is left are handed over too, and count once", async () => {
  await tell("/test/fail", [{ slow: 0.2 }]);
  const poise = connect({ size: 1 });
  poise.send({ item_id: "a" });
  await until(async () => (await state()).seen.length === 1);
  window.dispatchEvent(new Event("pagehide"));
  assert.deepEqual(await Promise.all(beacons), [200]);
  await pause(0.3);
  assert.deepEqual(ids(await state()), ["a"]);
});

test("what the browser has no room for stays", async () => {
  roomForBeacons = false;
  const poise = connect({ seconds: 0.1 });
  poise.send({ item_id: "a" });
  window.dispatchEvent(new Event("pagehide"));
  await until(async () => ids(await state()).length === 1);
});

test("bodies stay below what browsers take", async () => {
  const poise = connect({ seconds: 60, size: 10_000 });
  for (let at = 0; at < 30; at += 1) poise.send({ item_id: `${at}`, context: { note: "ü".repeat(5_000) } });
  poise.close();
  await Promise.all(beacons);
  const { events, seen } = await state();
  assert.equal(Object.keys(events).length, 30);
  assert.equal(seen.length, 6);
  assert.ok(seen.every(({ headers }) => Number(headers["content-length"]) < 64_000));
});

test("memory is bounded, and what was dropped is counted", async () => {
  const poise = connect({ seconds: 60, size: 10_000 });
  for (let at = 0; at < 1_005; at += 1) poise.send({ item_id: `${at}` });
  assert.equal(poise.dropped, 5);
  await poise.flush();
  assert.equal(ids(await state()).length, 1_000);
});

test("an event belongs to somebody", () => {
  const poise = connect({ userId: null });
  assert.throws(() => poise.send({ item_id: "a" }), /needs a user_id/);
  poise.userId = "chen";
  poise.send({ item_id: "a" });
});

test("recommendations, and a click that is known to come from them", async () => {
  const poise = connect({ size: 1, readKey: "poise_r_secret", timeout: 5000 });
  const slate = await poise.recommend({ k: 3, filters: [{ column: "price", max: 20 }] });
  assert.equal(slate.items[0].item_id, "lamp");
  poise.click(slate, "lamp", { context: { place: "home" } });
  await until(async () => (await state()).seen.length === 2);
  const { events, seen } = await state();
  assert.equal(seen[0].headers.authorization, "Bearer poise_r_secret");
  assert.deepEqual(seen[0].body, { user_id: "anna", k: 3, filters: [{ column: "price", max: 20 }] });
  const [click] = Object.values(events);
  assert.deepEqual([click.behaviour, click.request_id, click.item_id], ["click", "q1", "lamp"]);
  await poise.recommend({ history: ["desk"], timeout: 5000 });
  assert.deepEqual((await state()).seen[2].body, { history: ["desk"] });
});

test("recommendations are not waited for longer than said", async () => {
  await tell("/test/fail", [{ slow: 0.5 }, { status: 503 }]);
  const poise = connect({ timeout: 50 });
  await assert.rejects(poise.recommend(), { name: "TimeoutError" });
  await assert.rejects(poise.recommend({ timeout: 5000 }), /poise: 503 Broken: on purpose/);
});
