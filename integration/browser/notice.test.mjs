// The notice to visitors, where a site turned it on: it says in the page's language what was carried, is out of the way
// once it is closed, switches off with one click, and runs under a strict policy.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { stage } from "./stage.mjs";
import { GALLERY, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

const SETTINGS = `[broker]
lan_candidates = true
[carry]
hold = "5s"
[notice]
enabled = true
[notice.texts.en]
carried = "<b>You</b> & others carry this."
figures = "Got {got}, gave {given}."
switch_off = "No, thanks"
off = "As you like."
close = "Hide"
`;

test("visitors are told that they carry the page, and can switch it off", { timeout: 120_000 }, async (t) => {
  const place = await stage({ settings: SETTINGS });
  t.after(() => place.end());
  const chromium = await browser();
  t.after(() => chromium.close());
  await place.hot(GALLERY);

  const first = await visit(chromium, place.site, GALLERY);
  await first.pictures();
  // Nobody is there to give or take: nothing to tell.
  assert.equal(await first.page.locator("flashback-notice").count(), 0);

  const second = await visit(chromium, place.site, GALLERY, { locale: "de-DE" });
  for (const visitor of [first, second]) await visitor.page.locator("flashback-notice section").waitFor();
  const notice = second.page.locator("flashback-notice");
  await until("its words are those of the site, in the page's language", () => notice.locator("[role=status]").textContent(), (text) => text === "<b>You</b> & others carry this.");
  await until("what was got is told", () => notice.locator(".figures").textContent(), (text) => /^Got \d[\d.,]* (kB|MB), gave /.test(text));
  assert.deepEqual(await findings(second.page), []);

  // By the keyboard: the switch is the first button of the notice, and the focus stays in it.
  await notice.getByRole("button", { name: "No, thanks" }).focus();
  await second.page.keyboard.press("Enter");
  await until("it is off", second.state, ({ state, reason }) => state === "off" && reason === "off");
  assert.equal(await notice.locator("[role=status]").textContent(), "As you like.");
  const focused = () => second.page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.getAttribute("aria-label"));
  assert.equal(await focused(), "Hide");
  await second.page.keyboard.press("Enter");
  assert.equal(await notice.count(), 0);
  // The wish holds for the session: the next page takes no part, and says nothing.
  await second.page.reload();
  await until("it is off on the next page", second.state, ({ state, reason }) => state === "off" && reason === "off");
  await second.pictures();
  assert.equal(await notice.count(), 0);

  // Closed, it stays closed; the page is carried on.
  await first.page.locator("flashback-notice").getByRole("button", { name: "Hide" }).click();
  await first.page.reload();
  await until("it carries again", first.state, ({ state }) => state === "carrying");
  await first.pictures();
  assert.equal(await first.page.evaluate(() => sessionStorage.getItem("flashback-notice")), "closed");
  assert.equal(await first.page.locator("flashback-notice").count(), 0);
  for (const visitor of [first, second]) {
    assert.deepEqual(visitor.complaints, []);
    await visitor.close();
  }
});

test("it speaks the page's language, else the visitor's, without a word or a style from elsewhere", { timeout: 60_000 }, async (t) => {
  const chromium = await browser();
  t.after(() => chromium.close());
  for (const [page, locale, texts, said] of [
    ["fr-CA", "de-DE", {}, "Cette page est portée par ses visiteurs."],
    ["", "de-AT", {}, "Diese Seite wird von ihren Besuchern getragen."],
    ["tlh", "tlh", {}, "This page is carried by its visitors."],
    ["pt-BR", "en", { "pt-br": { carried: "Levada.", figures: "{got} {given}", switch_off: "a", off: "b", close: "c" } }, "Levada."],
  ]) {
    const context = await chromium.newContext({ locale, viewport: { width: 320, height: 640 } });
    const tab = await context.newPage();
    await strict(tab, page, texts);
    await until(`"${said}"`, () => tab.locator("flashback-notice [role=status]").textContent(), (text) => text === said);
    const box = await tab.locator("flashback-notice section").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 320 && box.height < 640 / 3, `it covers too much: ${JSON.stringify(box)}`);
    assert.equal(await tab.locator("flashback-notice section").evaluate((section) => getComputedStyle(section).position), "fixed");
    assert.deepEqual(await tab.evaluate(() => window.violations), []);
    for (const colorScheme of ["light", "dark"]) {
      await tab.emulateMedia({ colorScheme });
      assert.deepEqual(await findings(tab), [], `${colorScheme}, ${locale}`);
    }
    await context.close();
  }
});

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCRIPT = readFileSync(new URL("../../client/dist/notice.js", import.meta.url), "utf8");

/** A page under a policy that knows nonces alone, with a stand-in for the client: what is public of it, and no more. */
async function strict(tab, lang, texts) {
  const stand = `window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
    window.flashback = Object.assign(new EventTarget(), { state: "carrying", reason: "", off() {},
      stats: () => ({ origin: 1e6, peer: 2_345_678, given: 12_345, links: 2, objects: 3 }) });`;
  const notice = `(FLASHBACK_TEXTS=>{${SCRIPT}})(${JSON.stringify(texts)});`;
  await tab.route("**/*", (route) =>
    route.fulfill({
      contentType: "text/html; charset=utf-8",
      headers: { "content-security-policy": "default-src 'none'; script-src 'nonce-n'; require-trusted-types-for 'script'" },
      body: `<!doctype html><html lang="${lang}"><title>t</title><script nonce="n">${stand}</script><script nonce="n">${notice}</script>`,
    }),
  );
  await tab.goto("http://notice.example/");
}

/** What axe finds wrong with the notice; and a page that it makes wider than its window. */
async function findings(tab) {
  await tab.evaluate(AXE);
  const { violations } = await tab.evaluate(() => globalThis.axe.run("flashback-notice"));
  const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  return [...violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), ...(wide > 0 ? [`${wide} px too wide`] : [])];
}
