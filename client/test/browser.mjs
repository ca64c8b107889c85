// The client in real browsers, against the throw-away site: `npm run browser`. Chromium is taken from CHROMIUM, or from
// where Debian has it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { noise, site } from "./site.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/lib/chromium/chromium";
const args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
const images = Array.from({ length: 6 }, (_, at) => [`/img/${at}.png`, "image/png", noise(150, 300)]);
const total = images.reduce((sum, [, , bytes]) => sum + bytes.length, 0);
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath, args });
});
after(async () => {
  await browser.close();
});

/** A fresh visitor of `url`, whose errors are the test's. */
async function visit(t, url, { script, until: waitUntil = "load", ...options } = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  if (script) await page.addInitScript(script);
  await page.goto(url, { waitUntil });
  return page;
}

async function complete(page) {
  await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0), null, {
    timeout: 20_000,
  });
  assert.deepEqual(page.errors, []);
}

const stats = (page) => page.evaluate(() => window.flashback.stats());
const direct = (where) => where.state.requests.filter(({ path }) => path.startsWith("/img/")).length;

/** Runs in the page: status, headers and SHA-256 of what a request gives. */
const hashOf = async ({ url, range }) => {
  const response = await fetch(url, { headers: range ? { range } : {} });
  const hash = await crypto.subtle.digest("SHA-256", await response.arrayBuffer());
  const hex = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [response.status, response.headers.get("content-range"), response.headers.get("content-type"), hex];
};

/** Samples law 3 from inside the page, every few milliseconds. */
const watch = () => {
  window.broken = 0;
  setInterval(() => {
    const { origin, peer, given } = window.flashback?.stats() ?? { origin: 0, peer: 0, given: 0 };
    if (given > origin + peer) window.broken++;
  }, 5);
};

test("three visitors: the first from the origin, the others from each other", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const pages = [];
  for (let at = 0; at < 3; at++) {
    const page = await visit(t, where.url, { script: watch });
    await complete(page);
    pages.push(page);
  }
  const [first, second, third] = await Promise.all(pages.map(stats));
  assert.equal(first.origin, total);
  assert.equal(second.origin + second.peer, total);
  assert(third.peer >= 0.7 * total, JSON.stringify(third));
  assert.equal(direct(where), 0, "held images are not fetched beside the swarm");
  for (const page of pages) {
    assert.equal(await page.evaluate(() => window.broken), 0, "law 3");
    for (const [url, , bytes] of images) {
      assert.equal(await page.evaluate(hashOf, { url }).then(([, , , hash]) => hash), sha(bytes), url);
    }
  }
});

test("ranges of a large object are 206 and right, and its digests are fetched", async (t) => {
  const video = ["/video.bin", "video/mp4", Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 31) % 253))];
  const where = await site([...images, video]);
  t.after(() => where.close());
  const page = await visit(t, where.url);
  await complete(page);
  const ask = (range) => page.evaluate(hashOf, { url: "/video.bin", range });
  const part = (from, to) => sha(video[2].subarray(from, to));
  assert.deepEqual(await ask("bytes=5-70000"), [206, "bytes 5-70000/3000000", "video/mp4", part(5, 70001)]);
  assert.deepEqual(await ask("bytes=-100"), [206, "bytes 2999900-2999999/3000000", "video/mp4", part(2_999_900)]);
  assert.deepEqual(await ask("bytes=2900000-"), [206, "bytes 2900000-2999999/3000000", "video/mp4", part(2_900_000)]);
  assert.deepEqual(await ask("bytes=2999999-9999999"), [206, "bytes 2999999-2999999/3000000", "video/mp4", part(2_999_999)]);
  assert.equal((await ask("bytes=3000000-"))[0], 416);
  assert.deepEqual(await ask(""), [200, null, "video/mp4", part(0)]);
  assert.equal(where.state.requests.filter(({ path }) => path === "/video.bin").length, 0);
  assert.equal(where.state.requests.filter(({ path }) => path.startsWith("/.flashback/digests/")).length, 1);
});

test("law 2: a neighbour that sends wrong bytes is dropped and accused, and the page is right", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const lie = () => {
    const { send } = RTCDataChannel.prototype;
    RTCDataChannel.prototype.send = function (bytes) {
      if (bytes[0] === 0x15) bytes[bytes.length - 1] ^= 1;
      send.call(this, bytes);
    };
  };
  await complete(await visit(t, where.url, { script: lie }));
  const honest = await visit(t, where.url);
  await complete(honest);
  const { peer, origin, links } = await stats(honest);
  assert.deepEqual([peer, origin, links], [0, total, 0]);
  assert.deepEqual(where.state.accused, [{ by: 2, visitor: 1, fault: 35 }]);
});

test("law 4: without WebRTC, service workers, scripts or a broker it is the same page", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const without = { script: () => delete window.RTCPeerConnection };
  for (const options of [without, { serviceWorkers: "block" }, { javaScriptEnabled: false }]) {
    where.state.requests.length = 0;
    const page = await visit(t, where.url, options);
    if (options.javaScriptEnabled === false) await page.waitForLoadState("load");
    else await complete(page);
    await until(() => direct(where) === images.length);
  }
  where.killBroker();
  await complete(await visit(t, where.url));
});

test("law 4: the broker dies, and an origin that is busy, while a page loads", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  where.state.busy = 3;
  const page = await visit(t, where.url);
  await page.waitForFunction(() => window.flashback.state === "carrying");
  where.killBroker();
  await complete(page);
});

test("a neighbour that leaves in the middle costs nothing but time", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const first = await visit(t, where.url);
  await complete(first);
  const second = await visit(t, where.url);
  await second.waitForFunction(() => window.flashback.stats().peer > 0);
  await first.goto("about:blank");
  await complete(second);
  assert.equal((await stats(second)).links, 0);
});

test("the style alone holds the images and alone lets them go", async (t) => {
  const where = await site(images, { hold: 1000, broken: { "client.js": true } });
  t.after(() => where.close());
  // The script never answers, and so the page is never loaded altogether.
  const page = await visit(t, where.url, { until: "commit" });
  await until(() => direct(where) === images.length);
  const [{ at: opened }] = where.state.requests.filter(({ path }) => path === "/");
  const loaded = where.state.requests.filter(({ path }) => path.startsWith("/img/")).map(({ at }) => at - opened);
  assert(Math.min(...loaded) >= 1000, `${loaded}`);
  await complete(page);
});

test("calm: the worker leaves, whether the page was open or not", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const registrations = (page) => page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length);
  const open = await visit(t, where.url);
  const away = await visit(t, where.url);
  await Promise.all([complete(open), complete(away)]);
  assert.equal(await registrations(open), 1);
  await away.goto("about:blank");
  where.calm();
  await open.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0);
  assert.equal(await open.evaluate(() => window.flashback.state), "off");
  await away.goto(`${where.url}/calm.html`);
  await away.waitForFunction(async () => (await navigator.serviceWorker.getRegistrations()).length === 0);
  await open.reload();
  assert.equal(await registrations(open), 0);
});

test("a worker of the site's own is left in its place", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const page = await visit(t, `${where.url}/calm.html`);
  await page.evaluate(() => navigator.serviceWorker.register("/own.js").then(() => navigator.serviceWorker.ready));
  await page.goto(where.url);
  await complete(page);
  assert.deepEqual(
    await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ active }) => active.scriptURL)),
    [`${where.url}/own.js`],
  );
  assert.equal(await page.evaluate(() => window.flashback.state), "off");
});

test("off() closes the links and lets the network have the rest", async (t) => {
  const where = await site(images);
  t.after(() => where.close());
  const page = await visit(t, where.url);
  const other = await visit(t, where.url);
  await page.waitForFunction(() => window.flashback.stats().links === 1);
  await page.evaluate(() => window.flashback.off());
  await complete(page);
  await other.waitForFunction(() => window.flashback.stats().links === 0);
  await complete(other);
});

async function until(holds) {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    assert(Date.now() < deadline, `${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
