// Browsers and native visitors in one swarm: the two implementations of the exchange, over real WebRTC, take from and
// give to each other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { networkInterfaces } from "node:os";
import { rehearse, stage } from "./stage.mjs";
import { ARTICLE, assertLaw3, assertPictures, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

const BROWSERS = 4;
const NATIVE = 16;

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium.close());

/** Where browsers have their candidates: native visitors are to be reached from there. */
const address = () =>
  Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === "IPv4" && !internal)?.address;

test("4 browsers and 16 native visitors carry a page to each other", { timeout: 120_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  await place.hot(ARTICLE);
  // Slow enough that a browser that comes later finds them at it, and with a tenth of what two cores can do.
  const flags = ["--visitors", NATIVE, "--arrivals", "poisson", "--over", "8s", "--up", "4mbit", "--down", "16mbit", "--dwell", "10s"];
  const native = rehearse(place.site + ARTICLE.path, [...flags, ...(address() ? ["--bind", address()] : [])]);
  const visitors = [];
  for (let number = 0; number < BROWSERS; number++) {
    if (number > 0) await delay(1_500);
    visitors.push(await visit(chromium, place.site, ARTICLE));
  }
  await Promise.all(visitors.map((visitor) => visitor.pictures()));
  // Those who have everything stay for the others.
  const report = await native;
  t.diagnostic(`native: ${JSON.stringify(report)}`);
  for (const visitor of visitors) {
    t.diagnostic(`browser: ${JSON.stringify(await visitor.stats())}`);
    await assertPictures(visitor);
    await assertLaw3(visitor);
    assert.deepEqual(visitor.complaints, []);
  }
  // Each of them compared all that it got with the site's own answer, and looked at law 3 with every block.
  const { completed, hot, law3_violations, wrong_bytes, strangers } = report;
  assert.deepEqual({ completed, hot, law3_violations, wrong_bytes }, { completed: NATIVE, hot: NATIVE, law3_violations: 0, wrong_bytes: 0 });
  assert.ok(strangers.got > 100_000, `native visitors got ${strangers.got} bytes from browsers`);
  assert.ok(strangers.given > 100_000, `native visitors gave ${strangers.given} bytes to browsers`);
  const peer = (await Promise.all(visitors.map((visitor) => visitor.stats()))).reduce((sum, stats) => sum + stats.peer, 0);
  assert.ok(peer > 0, "no browser got anything from a peer");
  await Promise.all(visitors.map((visitor) => visitor.close()));
});
