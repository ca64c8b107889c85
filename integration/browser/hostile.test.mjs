// Law 2, the origin's bytes or nothing: a neighbour that sends others is dropped, and nobody sees what it sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stage } from "./stage.mjs";
import { GALLERY, assertFilm, assertLaw3, assertPictures, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

test("a liar is dropped, its bytes reach no page, and the page completes", { timeout: 120_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  const browsers = [await browser(), await browser()];
  t.after(() => Promise.all(browsers.map((one) => one.close())));
  await place.hot(GALLERY);

  const liar = await visit(browsers[0], place.site, GALLERY, { before: lie });
  await liar.pictures();
  await until("the liar has the page", liar.stats, (seen) => seen?.origin > 4_000_000);
  const honest = await visit(browsers[1], place.site, GALLERY);
  await honest.pictures();
  await until("the liar has lied", () => liar.page.evaluate(() => window.lies), (lies) => lies > 0);
  await until("the honest one has dropped it", honest.stats, ({ links }) => links === 0);
  await until("the fault is counted", () => place.metric("flashback_faults_total"));
  await assertPictures(honest);
  await assertFilm(honest);
  await assertLaw3(honest);
  assert.equal((await honest.stats()).peer, 0, "a lie was counted as received");

  // Whoever comes next is carried by the honest one, and loses nothing to the liar.
  const next = await visit(browsers[0], place.site, GALLERY);
  await next.pictures();
  await assertPictures(next);
  await assertLaw3(next);
  const stats = await next.stats();
  t.diagnostic(`the next visitor: ${JSON.stringify(stats)}`);
  assert.ok(stats.peer > 0, "nothing came from the honest neighbour");
});

/** Turns one bit in every block that this page sends. */
function lie() {
  window.lies = 0;
  const send = RTCDataChannel.prototype.send;
  RTCDataChannel.prototype.send = function (message) {
    const bytes = new Uint8Array(message.buffer ? message.buffer.slice(message.byteOffset, message.byteOffset + message.byteLength) : message.slice(0));
    const BLOCK = 0x15;
    if (bytes[0] === BLOCK) {
      bytes[bytes.length - 1] ^= 1;
      window.lies++;
    }
    return send.call(this, bytes);
  };
}
