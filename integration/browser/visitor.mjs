// A visitor: a fresh browser context that opens a page, with everything noted that it was given.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chromium } from "playwright-core";
import { file } from "./stage.mjs";
import { until } from "./until.mjs";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/lib/chromium/chromium";

/** A browser process; `command` is what starts it, if not itself. */
export const browser = (command = CHROMIUM, flags = []) =>
  chromium.launch({
    executablePath: command,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--autoplay-policy=no-user-gesture-required", ...flags],
  });

const FILM = "/murmuration.webm";
const jpeg = (names) => names.split(" ").map((name) => `/pictures/${name}.jpg`);
const page = (path, pictures) => ({ path, pictures, objects: [...pictures, FILM] });

/** The two pages of the site: 4.6 MB of pictures at once, and 1.1 MB of them as one scrolls; each with the film. */
export const GALLERY = page(
  "/",
  jpeg("agate attractor aurora basalt caustics contours coral dunes feather ink murmuration nebula ridges strata"),
);
export const ARTICLE = page("/murmuration", jpeg("contours feather murmuration ridges"));

export const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Opens a page in a context of its own, in a window so small that drawing it costs little. `before` runs in the page ahead of everything. */
export async function visit(browser, site, { path, pictures }, { before, query = "", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 360, height: 300 }, ...options });
  await context.addInitScript(sample);
  if (before) await context.addInitScript(before);
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  const received = await record(context, page);
  await page.goto(site + path + query, { waitUntil: "commit" });
  return {
    expected: pictures,
    page,
    context,
    complaints,
    received,
    /** Scrolls through the page until every picture of it is there. */
    pictures: (within = 60_000) => until(`all pictures of ${path}`, () => page.evaluate(missing), (list) => list.length === 0, { within, every: 250 }),
    stats: () => page.evaluate(() => window.flashback?.stats()),
    state: () => page.evaluate(() => ({ state: window.flashback?.state, reason: window.flashback?.reason })),
    samples: () => page.evaluate(() => window.samples),
    /** What was fetched of held objects by HTTP ranges: requests, bytes, and when the first was made, in milliseconds. */
    ranges: () => page.evaluate(ranges),
    range: (path, from, to) => page.evaluate(part, { path, from, to }),
    close: () => context.close(),
  };
}

/** What the page's pictures decoded from is, byte for byte, what the site has on its disk. */
export async function assertPictures(visitor) {
  for (const path of visitor.expected) {
    const answers = visitor.received.filter((answer) => answer.path === path && answer.type === "Image");
    assert.ok(answers.length > 0, `${path} was never received`);
    for (const answer of answers) {
      const bytes = await answer.body();
      assert.equal(digest(bytes), digest(file(path)), `${path}, ${bytes.length} bytes, by the worker: ${answer.worker}`);
    }
  }
}

/** The film's first ranges are right. */
export async function assertFilm(visitor) {
  const film = file(FILM);
  for (const [from, to] of [[0, 65_535], [65_536, 400_000]]) {
    const answer = await visitor.range(FILM, from, to);
    const expected = { status: 206, range: `bytes ${from}-${to}/${film.length}`, digest: digest(film.subarray(from, to + 1)) };
    assert.deepEqual(answer, expected);
  }
}

/** Plays the film to its end. */
export async function play({ page }) {
  await page.evaluate(start);
  const { error } = await until("the film ends", () => page.evaluate(film), ({ ended, error }) => ended || error, { within: 60_000 });
  assert.equal(error, undefined);
}

/** Law 3, at every sample. */
export async function assertLaw3(visitor) {
  const samples = await visitor.samples();
  assert.ok(samples.length > 0, "no samples");
  const broken = samples.filter(({ origin, peer, given }) => given > origin + peer);
  assert.deepEqual(broken, [], `given exceeds got in ${broken.length} of ${samples.length} samples`);
  return samples.length;
}

/**
 * Notes the answer to every request of the page: path, type, and whether the worker gave it. The browser keeps the
 * bodies, and is asked for them when the crowd has passed: they must not cost what the crowd needs.
 */
async function record(context, page) {
  const session = await context.newCDPSession(page);
  await session.send("Network.enable", { maxTotalBufferSize: 1 << 28, maxResourceBufferSize: 1 << 26 });
  const received = [];
  session.on("Network.responseReceived", ({ requestId, type, response }) => {
    if (response.url.startsWith("data:")) return;
    const body = async () => {
      const { body, base64Encoded } = await session.send("Network.getResponseBody", { requestId });
      return Buffer.from(body, base64Encoded ? "base64" : "utf8");
    };
    received.push({ path: new URL(response.url).pathname, type, status: response.status, worker: response.fromServiceWorker, body });
  });
  return received;
}

// What follows runs in the page.

/** Ten times a second, what the page says of itself. */
function sample() {
  const samples = (window.samples = []);
  setInterval(() => {
    const stats = window.flashback?.stats();
    if (stats) samples.push({ at: Math.round(performance.now()), state: window.flashback.state, ...stats });
  }, 100);
}

function ranges() {
  const made = performance.getEntriesByType("resource").filter(({ name }) => name.includes("/.flashback/object/"));
  const bytes = made.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
  return { requests: made.length, bytes, first: Math.round(made[0]?.startTime ?? 0) };
}

function missing() {
  // Before it is parsed, a page lacks nothing.
  if (document.readyState === "loading") return [document.URL];
  const images = [...document.images].filter((image) => image.src && !(image.complete && image.naturalWidth > 0));
  images[0]?.scrollIntoView();
  return images.map((image) => image.src);
}

async function part({ path, from, to }) {
  const answer = await fetch(path, { headers: { range: `bytes=${from}-${to}` } });
  const sum = await crypto.subtle.digest("SHA-256", await answer.arrayBuffer());
  const digest = [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { status: answer.status, range: answer.headers.get("content-range"), digest };
}

function start() {
  const film = document.querySelector("video");
  film.muted = true;
  // A film of 20 s, in 5.
  film.playbackRate = 4;
  // It rejects when the film breaks off; that is told by its error.
  film.play().catch(() => {});
}

function film() {
  const { currentTime, ended, readyState, error } = document.querySelector("video");
  return { currentTime, ended, readyState, error: error?.message };
}
