// A crowd on a hot page, and what its browsers carry.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { SETTINGS, file, stage } from "./stage.mjs";
import { ARTICLE, GALLERY, assertFilm, assertLaw3, assertPictures, browser, play, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

const browsers = [];
before(async () => browsers.push(await browser(), await browser()));
after(() => Promise.all(browsers.map((one) => one.close())));

/** Visitors come with browsers that have been running for a while. */
async function warm(site) {
  for (const one of browsers) {
    const visitor = await visit(one, site, ARTICLE);
    await visitor.pictures();
    await visitor.close();
  }
}

/** `count` visitors, `apart` milliseconds one after the other, in both processes by turns; `arrived` is told of each. */
async function arrivals(site, page, count, apart, arrived = () => {}) {
  const visitors = [];
  for (let number = 0; number < count; number++) {
    if (number > 0) await delay(apart);
    const visitor = visit(browsers[number % browsers.length], site, page);
    visitors.push(visitor);
    arrived(visitor, number);
  }
  return Promise.all(visitors);
}

/**
 * What a visitor says that it got, the pictures that came past the worker, and the share of all that came from peers.
 * What the worker itself had to fetch from the network is in no figure of the page; it is what lacks to the whole.
 */
async function share(visitor) {
  const stats = await visitor.stats();
  const ranges = await visitor.ranges();
  const sum = (paths) => paths.reduce((bytes, path) => bytes + file(path).length, 0);
  const past = sum(visitor.received.filter(({ path, worker }) => visitor.expected.includes(path) && !worker).map(({ path }) => path));
  const whole = Math.max(stats.peer + stats.origin + past, sum(visitor.expected));
  return { ...stats, ranges, past, whole, share: Number((stats.peer / whole).toFixed(3)) };
}

/** Everything that holds of every visitor of a crowd, told first. */
async function assertCrowd(t, visitors) {
  const shares = await Promise.all(visitors.map(share));
  for (const [number, one] of shares.entries()) t.diagnostic(`visitor ${number + 1}: ${JSON.stringify(one)}`);
  for (const visitor of visitors) {
    await assertPictures(visitor);
    await assertLaw3(visitor);
    assert.deepEqual(visitor.complaints, []);
  }
  return shares;
}

/** The third and all after it got each at least `least` of what they got from their peers. */
function assertShares(shares, least) {
  const later = shares.slice(2).map(({ share }) => share);
  assert.ok(later.every((one) => one >= least), `from peers: ${later.join(" ")}`);
}

function assertAskedOnce(place, { objects }) {
  const asked = Object.fromEntries(objects.map((object) => [object, place.asked(object)]));
  assert.deepEqual(asked, Object.fromEntries(objects.map((object) => [object, 1])));
}

test("eight visitors, one second apart, carry the article and its film to each other", { timeout: 180_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  await warm(place.site);
  await place.hot(ARTICLE);
  const visitors = await arrivals(place.site, ARTICLE, 8, 1_000);
  await Promise.all(visitors.map((visitor) => visitor.pictures()));
  await Promise.all(visitors.map(assertFilm));
  assertShares(await assertCrowd(t, visitors), 0.7);
  await Promise.all(visitors.map(play));
  await Promise.all(visitors.map(assertLaw3));
  assertAskedOnce(place, ARTICLE);
  await Promise.all(visitors.map((visitor) => visitor.close()));
});

// Two cores cannot run eight browsers with five megabytes each at once: here each comes when the one before has its page.
test("visitors one after the other get the whole gallery from those who came before", { timeout: 180_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  await place.hot(GALLERY);
  const visitors = [];
  for (let number = 0; number < 5; number++) {
    visitors.push(await visit(browsers[number % browsers.length], place.site, GALLERY));
    await visitors.at(-1).pictures();
  }
  assertShares(await assertCrowd(t, visitors), 0.7);
  assertAskedOnce(place, GALLERY);
  await Promise.all(visitors.map((visitor) => visitor.close()));
});

// Whoever gave up after some seconds would ask for whole pictures, and take the uplink of the seeds from which all others live: then
// everybody gives up.
test("at an origin too thin for them all nobody gives up", { timeout: 120_000 }, async (t) => {
  const place = await stage({ settings: `${SETTINGS}engage_at = 0.0\n[origin]\nuplink = "1mbit"\n` });
  t.after(() => place.end());
  await place.hot(ARTICLE);
  const sent = () => place.metric('flashback_bytes_total{source="store"');
  const before = await sent();
  const visitors = await arrivals(place.site, ARTICLE, 6, 500);
  await Promise.all(visitors.map((visitor) => visitor.pictures()));
  const shares = await assertCrowd(t, visitors);
  const store = (await sent()) - before;
  const got = shares.reduce((sum, { whole }) => sum + whole, 0);
  t.diagnostic(`${store} bytes of ${got} by HTTP`);
  assert.ok(store < got / 2, `${store} of ${got} bytes came by HTTP`);
  await Promise.all(visitors.map((visitor) => visitor.close()));
});

test("when the broker dies while they load, every page completes", { timeout: 120_000 }, async (t) => {
  const place = await stage({ cuttable: true });
  t.after(() => place.end());
  await place.hot(GALLERY);
  const cut = async (visitor, number) => {
    if (number !== 3) return;
    // The fourth is on its way: something is carried, and not everything.
    const { stats } = await visitor;
    await until("the fourth visitor is being carried", stats, (seen) => seen && seen.origin + seen.peer > 0, { within: 20_000 });
    assert.ok(place.cable.signalling() > 0, "nothing to cut");
    place.cable.cut();
  };
  let done;
  const visitors = await arrivals(place.site, GALLERY, 6, 700, (visitor, number) => {
    if (number === 3) done = cut(visitor, number);
  });
  await done;
  await Promise.all(visitors.map((visitor) => visitor.pictures()));
  for (const visitor of visitors) {
    await assertPictures(visitor);
    await assertLaw3(visitor);
  }
  await Promise.all(visitors.map((visitor) => visitor.close()));
});
