// A crowd on a hot page, and what its browsers carry.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { file, stage } from "./stage.mjs";
import { OBJECTS, PICTURES, assertFilm, assertLaw3, assertPictures, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

const browsers = [];
before(async () => browsers.push(await browser(), await browser()));
after(() => Promise.all(browsers.map((one) => one.close())));

/** `count` visitors, `apart` milliseconds one after the other, in both processes by turns; `arrived` is told of each. */
async function arrivals(site, count, apart, arrived = () => {}) {
  const visitors = [];
  for (let number = 0; number < count; number++) {
    if (number > 0) await delay(apart);
    const visitor = visit(browsers[number % browsers.length], `${site}/`);
    visitors.push(visitor);
    arrived(visitor, number);
  }
  return Promise.all(visitors);
}

/** What a visitor says that it got, what its pictures cost past the worker, and the share that came from peers. */
async function share(visitor) {
  const stats = await visitor.stats();
  const past = visitor.received
    .filter(({ path, worker }) => PICTURES.includes(path) && !worker)
    .reduce((sum, { path }) => sum + file(path).length, 0);
  return { ...stats, past, share: stats.peer / (stats.peer + stats.origin + past) };
}

test("eight visitors carry the page to each other", { timeout: 180_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  await place.hot("/", OBJECTS);
  const visitors = await arrivals(place.site, 8, 1_000);
  await Promise.all(visitors.map((visitor) => visitor.pictures()));
  const shares = await Promise.all(visitors.map(share));
  for (const [number, one] of shares.entries()) t.diagnostic(`visitor ${number + 1}: ${JSON.stringify(one)}`);
  for (const visitor of visitors) await assertPictures(visitor);
  for (const [number, one] of shares.entries()) {
    if (number >= 2) assert.ok(one.share >= 0.7, `visitor ${number + 1}: ${JSON.stringify(one)}`);
  }
  await Promise.all(visitors.map(assertFilm));
  for (const visitor of visitors) {
    await assertLaw3(visitor);
    assert.deepEqual(visitor.complaints, []);
  }
  for (const object of OBJECTS) assert.equal(place.asked(object), 1, `the origin was asked for ${object} ${place.asked(object)} times`);
  await Promise.all(visitors.map((visitor) => visitor.close()));
});

test("when the broker dies while they load, every page completes", { timeout: 120_000 }, async (t) => {
  const place = await stage({ cuttable: true });
  t.after(() => place.end());
  await place.hot("/", OBJECTS);
  const cut = async (visitor, number) => {
    if (number !== 3) return;
    // The fourth is on its way: something is carried, and not everything.
    const { stats } = await visitor;
    await until("the fourth visitor is being carried", stats, (seen) => seen && seen.origin + seen.peer > 0, 20_000);
    assert.ok(place.cable.signalling() > 0, "nothing to cut");
    place.cable.cut();
  };
  let done;
  const visitors = await arrivals(place.site, 6, 700, (visitor, number) => {
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
