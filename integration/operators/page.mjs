// The status page in Chromium, before a demo: what it shows at calm, hot and cooling, that its buttons ask first, that axe
// finds nothing serious in light and dark, and that it talks to nobody else.
//
//   node page.mjs [--pictures FOLDER]
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join as path } from "node:path";
import { chromium } from "playwright-core";
import { ask, bounded, demo, pause, until } from "./flashback.mjs";
import { join, load, open, token } from "./visitor.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = process.argv.includes("--pictures") && process.argv[process.argv.indexOf("--pictures") + 1];
const SIZES = { desk: { width: 1100, height: 900 }, phone: { width: 390, height: 844 } };

const site = await demo();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/lib/chromium/chromium", args: ["--no-sandbox"] });
const visitors = [];
try {
  await bounded(300, watch);
} finally {
  visitors.forEach(({ leave }) => leave());
  await browser.close();
  await site.end();
}

/** From calm to cooling, and calm again. */
async function watch() {
  const context = await browser.newContext({ viewport: SIZES.desk });
  // A machine that does much else is slow, and not wrong.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  const strangers = [];
  const complaints = [];
  page.on("request", (request) => /^data:/.test(request.url()) || request.url().startsWith(site.admin) || strangers.push(request.url()));
  page.on("crash", () => complaints.push("the page crashed"));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(`${site.admin}/`);
  const heading = () => page.locator("h1").textContent();

  await until("calm is shown", heading, (text) => text === "All calm");
  await until("the page is live", () => page.locator("#live").textContent(), (text) => text === "live");
  await looks(page, "calm");

  // By the keyboard alone: the page's URL, its first button, and "Leave it", where the focus is.
  await page.locator("#url").focus();
  await page.keyboard.type("/");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("dialog[open] h2").textContent(), "Hot: /?");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Leave it");
  await page.keyboard.press("Enter");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  assert.deepEqual((await site.status()).crowds, [], "a refused order changes nothing");

  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until("the order is taken", () => page.locator("#answer").textContent(), (text) => text.startsWith("Done: / is hot"));
  await load(site.site);
  await until("hot is shown", heading, (text) => text.startsWith("1 page hot"));
  await until("the event is shown", () => page.locator("#events li").allTextContents(), (lines) => lines.some((line) => line.includes("is hot: an operator said so")));
  await page.locator("#url").fill("");

  const html = await until("the page is carried", () => load(site.site), token);
  for (let n = 0; n < 24; n++) {
    visitors.push(join(site.site, token(html)));
    await open(site.site, "/", { referer: n % 3 ? "https://news.example/" : "https://forum.example/" });
    await pause(250);
  }
  const card = page.locator(".crowd").filter({ has: page.locator(".buttons") });
  await until("its visitors and bytes are shown", () => card.textContent(), (text) => text.includes("24 visitors") && /[1-9][\d.]* MiB from each other/.test(text));
  const room = card.locator(".room[open] figcaption");
  await until("its room is shown", () => room.textContent(), (text) => /^24 visitors, [1-9]\d* open links\. Half of them got more than [5-9]\d %/.test(text));
  const curve = await card.locator(".rate .line").getAttribute("d");
  await until("the curve grows", () => card.locator(".rate .line").getAttribute("d"), (now) => now !== curve);
  await looks(page, "hot");

  const took = await thousand(page);
  assert.ok(took < 100, `256 crowds and a room of 1,000 visitors take ${took} ms to be drawn: a click would wait`);
  console.log(`256 crowds, a room of 1,000 visitors with 4,000 links: drawn in ${took.toFixed(1)} ms`);
  assert.deepEqual(strangers, [], "it talks to nobody else");
  assert.deepEqual(complaints, [], "no error is thrown, and nothing runs into its policy");

  await site.order("/", "auto");
  await until("cooling is shown", heading, (text) => text.startsWith("1 page cooling"), { within: 150_000, every: 1_000 });
  await looks(page, "cooling");
  await card.getByRole("button", { name: /^Calm/ }).click();
  await page.getByRole("button", { name: "Yes, calm" }).click();
  await until("calm is shown", heading, (text) => text === "All calm");
  await Promise.all(visitors.map(({ gone }) => gone));
  console.log("calm by hand: every visitor was told to leave");
}

/** Light and dark, on a desk and on a phone: no serious finding, nothing wider than the screen; and a picture of each. */
async function looks(page, stage) {
  for (const colorScheme of ["light", "dark"])
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      await page.evaluate(() => scrollTo(0, 0));
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `${stage}, ${colorScheme}, ${size}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${stage}, ${size}: ${wide} px wider than the screen`);
      if (pictures) await page.screenshot({ path: path(pictures, `status-${stage}-${colorScheme}-${size}.png`), fullPage: size === "desk" });
    }
  await page.setViewportSize(SIZES.desk);
  console.log(`${stage}: shown in light and dark, on desk and phone; axe finds nothing serious`);
}

/** Milliseconds to draw the largest status there can be (`max_hot` pages), of which 24 are shown, layout included: the best of 21
 * times, for what other processes take of the machine is not the page's. */
async function thousand(page) {
  const status = JSON.parse((await ask(`${site.admin}/status.json`)).body);
  const crowds = Array.from({ length: 256 }, (_, n) => ({ ...status.crowds[0], key: `${status.crowds[0].key}${n}`, visitors: n ? 0 : 1_000 }));
  const room = { visitors: 1_000, sample: Array.from({ length: 1_000 }, (_, id) => visitor(id)), links: pairs(1_000, 8) };
  await page.route("**/status.json", (route) => route.fulfill({ json: { ...status, visitors: 1_000, crowds } }));
  await page.route("**/room.json?*", (route) => route.fulfill({ json: room }));
  await until("the whole crowd is shown", () => page.locator(".crowd").count(), (count) => count === 24);
  const caption = page.locator(".room[open] figcaption");
  await until("its room is shown", () => caption.first().textContent(), (text) => text.startsWith("1,000 visitors, 4,000 open links."));
  if (pictures) await page.locator(".room[open] figure").first().screenshot({ path: path(pictures, "room-thousand.png") });
  const took = await page.evaluate(({ status, room }) => {
    const figure = document.querySelector(".room[open] figure");
    const times = Array.from({ length: 21 }, () => {
      const began = performance.now();
      for (const crowd of status.crowds) crowd.rate = 20 * Math.random();
      globalThis.show(status);
      globalThis.picture(figure, room);
      document.body.getBoundingClientRect();
      // What was drawn is painted by the time that it can be read.
      figure.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
      return performance.now() - began;
    });
    return Math.min(...times);
  }, { status: { ...status, visitors: 1_000, crowds }, room });
  await page.unroute("**/status.json");
  await until("the real status is shown", () => page.locator(".crowd").count(), (count) => count < 24);
  // Not before: of the invented pages the real site knows no room.
  await page.unroute("**/room.json?*");
  return took;
}

/** A visitor of a large room, invented. */
function visitor(id) {
  const got = 300_000 + 4_000 * id, share = (id % 97) / 97;
  return { id, origin: Math.round(got * (1 - share)), peer: Math.round(got * share), given: id % 9 ? Math.round((got * (id % 13)) / 13) : 0 };
}

/** Links of a room in which each visitor has `degree` of them. */
function pairs(visitors, degree) {
  const pair = (_, n) => [n % visitors, (n + 1 + Math.floor(n / visitors) * 137) % visitors].sort((one, two) => one - two);
  return Array.from({ length: (visitors * degree) / 2 }, pair);
}
