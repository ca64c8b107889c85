// Takes the picture in docs/: the hot page with its debug panel, after neighbours have carried it.
import { join } from "node:path";
import { stage } from "./stage.mjs";
import { GALLERY, browser, visit } from "./visitor.mjs";
import { until } from "./until.mjs";

const place = await stage();
const chromium = await browser();
try {
  await place.hot(GALLERY);
  const neighbours = [];
  for (let count = 0; count < 3; count++) {
    const neighbour = await visit(chromium, place.site, GALLERY);
    await neighbour.pictures();
    neighbours.push(neighbour);
  }
  const visitor = await visit(chromium, place.site, GALLERY, { query: "?flashback=debug", viewport: { width: 1080, height: 700 } });
  await visitor.pictures();
  await until("peers carried the page", visitor.stats, (stats) => stats?.peer > 4_000_000);
  await until("the hero is drawn", () => visitor.page.evaluate(() => document.images[0].decode().then(() => true)));
  await visitor.page.screenshot({ path: join(import.meta.dirname, "..", "..", "docs", "panel.png") });
} finally {
  await chromium.close();
  await place.end();
}
