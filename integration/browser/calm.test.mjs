// Law 1, calm is free, also after a crowd: what was there for it goes with it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { navigate, stage } from "./stage.mjs";
import { GALLERY, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

test("after the crowd the worker is gone and the answers are the origin's", { timeout: 90_000 }, async (t) => {
  const place = await stage();
  t.after(() => place.end());
  const chromium = await browser();
  t.after(() => chromium.close());
  const plain = await answer(place.site);
  await place.hot(GALLERY);
  assert.notEqual((await answer(place.site)).body, plain.body, "the hot page is not carried");

  const visitor = await visit(chromium, place.site, GALLERY);
  await visitor.pictures();
  await until("the worker is there", () => visitor.page.evaluate(registrations), (count) => count === 1);

  await place.crowd("/", "calm");
  assert.deepEqual(await answer(place.site), plain);
  await visitor.page.reload();
  await until("the worker has gone", () => visitor.page.evaluate(registrations), (count) => count === 0);
  visitor.received.length = 0;
  await visitor.page.reload();
  await visitor.pictures();
  const traces = await visitor.page.evaluate(() => ({
    controlled: navigator.serviceWorker.controller !== null,
    ours: performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.includes("/.flashback/")),
    marks: document.querySelectorAll("[data-flashback], [data-flashback-hold], #flashback-page").length,
  }));
  assert.deepEqual(traces, { controlled: false, ours: [], marks: 0 });
  await visitor.close();
});

/** A page's answer but for its date. */
async function answer(site) {
  const { status, headers, body } = await navigate(`${site}/`);
  const date = headers.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === "date");
  headers.splice(date, 2);
  return { status, headers, body: body.toString("latin1") };
}

async function registrations() {
  return (await navigator.serviceWorker.getRegistrations()).length;
}
