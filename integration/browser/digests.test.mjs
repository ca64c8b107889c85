// Where many are in the room the page leaves out the digests of chunks: neighbours tell them, and nobody else is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { manifest, navigate, stage } from "./stage.mjs";
import { ARTICLE, assertLaw3, assertPictures, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

/** Objects of more chunks than this have their list from the origin, always. */
const TOLD_MOST = 128 * 16_384;

test("a visitor whose page has no digests is told them by its neighbour", { timeout: 120_000 }, async (t) => {
  const place = await stage({ settings: '[broker]\nlan_candidates = true\n[carry]\nhold = "5s"\nlist_digests_below = 1\n' });
  t.after(() => place.end());
  const browsers = [await browser(), await browser()];
  t.after(() => Promise.all(browsers.map((one) => one.close())));
  await place.hot(ARTICLE);

  const first = await visit(browsers[0], place.site, ARTICLE);
  await first.pictures();
  await until("the first has the pictures", first.stats, (seen) => seen?.origin > 1_000_000);
  const listed = manifest((await navigate(place.site + ARTICLE.path)).body);
  const short = listed.filter(({ length }) => length <= TOLD_MOST);
  assert.ok(short.length > 0 && short.every(({ chunks }) => chunks === undefined), "the page lists digests");

  const second = await visit(browsers[1], place.site, ARTICLE);
  await second.pictures();
  await assertPictures(second);
  await assertLaw3(second);
  const stats = await second.stats();
  t.diagnostic(`the second visitor: ${JSON.stringify(stats)}`);
  assert.ok(stats.peer > 0, "nothing came from the neighbour");
  const lists = second.received.map(({ path }) => path).filter((path) => path.startsWith("/.flashback/digests/"));
  const told = lists.filter((path) => short.some(({ digest }) => path.endsWith(digest)));
  assert.deepEqual(told, [], "the origin told what a neighbour knows");
});
