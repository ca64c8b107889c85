// A film whose ranges come from the worker and from the network by turns. Chromium ends such a film with a read error,
// unless it is fetched with CORS.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ARTICLE, browser, play, visit } from "./visitor.mjs";
import { stage } from "./stage.mjs";
import { until } from "./until.mjs";

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

const LAN = "[broker]\nlan_candidates = true\n";
const worker = (visitor) => visitor.received.filter(({ type }) => type === "Media").map((answer) => answer.worker);
const controlled = (visitor) => until("the page is carried", visitor.state, (seen) => seen.state === "carrying");

/** A hot page, and two visitors on it: one alone is not carried by anybody. */
async function pair(t, settings) {
  const place = await stage({ settings: LAN + settings });
  t.after(() => place.end());
  await place.hot(ARTICLE);
  const first = await visit(chromium, place.site, ARTICLE);
  await first.pictures();
  return [first, await visit(chromium, place.site, ARTICLE)];
}

test("a film that began on the network plays on when the worker has come", { timeout: 90_000 }, async (t) => {
  const visitors = await pair(t, '[carry]\nhold = "1ms"\n');
  for (const visitor of visitors) {
    await until("the film began", () => worker(visitor), (answers) => answers.length > 0);
    await controlled(visitor);
    await play(visitor);
    assert.ok(!worker(visitor)[0], "the worker was there before the film: nothing is tested");
    await visitor.close();
  }
});

test("a film that the worker began plays on when the worker is stopped", { timeout: 90_000 }, async (t) => {
  const visitors = await pair(t, '[carry]\nhold = "5s"\n');
  for (const visitor of visitors) {
    await controlled(visitor);
    await until("the film began", () => worker(visitor), (answers) => answers.length > 0);
    const session = await visitor.context.newCDPSession(visitor.page);
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await play(visitor);
    assert.ok(worker(visitor)[0], "the film did not begin at the worker: nothing is tested");
    await visitor.close();
  }
});
