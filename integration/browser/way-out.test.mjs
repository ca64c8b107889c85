// Law 4, never worse off: a visitor who cannot take part sees the page that everyone sees, from the origin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { stage } from "./stage.mjs";
import { GALLERY, assertPictures, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

let place, chromium, expected;
before(async () => {
  [place, chromium] = [await stage(), await browser()];
  const calm = await visit(chromium, place.site, GALLERY);
  await calm.pictures();
  expected = await calm.page.evaluate(text);
  await calm.close();
  await place.hot(GALLERY);
});
after(async () => {
  await chromium?.close();
  await place?.end();
});

const withouts = {
  "without WebRTC": { before: () => ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel"].forEach((name) => delete window[name]) },
  "without service workers": { before: () => delete Navigator.prototype.serviceWorker },
  "with service workers blocked": { serviceWorkers: "block" },
  "with JavaScript off": { javaScriptEnabled: false },
  "without WebSockets": { before: () => delete window.WebSocket },
  "that saves data": { extraHTTPHeaders: { "save-data": "on" } },
};

for (const [what, options] of Object.entries(withouts)) {
  test(`a visitor ${what} gets the page`, { timeout: 90_000 }, async () => {
    const visitor = await visit(chromium, place.site, GALLERY, options);
    await visitor.pictures();
    await until("the page is parsed", () => visitor.page.evaluate(() => document.readyState), (state) => state === "complete");
    await assertPictures(visitor);
    assert.equal(await visitor.page.evaluate(text), expected);
    assert.deepEqual(visitor.complaints, []);
    assert.equal((await visitor.stats())?.peer ?? 0, 0);
    await visitor.close();
  });
}

/** What a reader sees. */
function text() {
  return document.body.innerText;
}
