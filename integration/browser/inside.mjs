// The crowd of `links.mjs`, run in the origin's namespace: each browser in its own, at a page of 4.6 MB of pictures and a film.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SETTINGS, stage } from "./stage.mjs";
import { CHROMIUM, GALLERY, assertLaw3, assertPictures, browser, visit } from "./visitor.mjs";

const { visitors, over, uplink } = JSON.parse(process.argv[2]);
const folder = mkdtempSync(join(tmpdir(), "flashback-"));

/** What starts a browser in a namespace. */
function command(place) {
  const path = join(folder, place);
  writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${place} ${CHROMIUM} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

const bucket = (place) => execFileSync("ip", ["netns", "exec", place, "tc", "-s", "qdisc", "show", "dev", "eth0"], { encoding: "utf8" });
const counted = (text, what) => Number(new RegExp(`${what} (\\d+)`).exec(text)[1]);
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const seconds = (milliseconds) => (milliseconds / 1000).toFixed(1);

/** Sends them, and tells what came of it. */
async function play(place, browsers) {
  const start = performance.now();
  const crowd = await Promise.all(
    browsers.map(async (one, number) => {
      await delay((over * number) / browsers.length);
      const came = performance.now();
      const visitor = await visit(one, place.site, GALLERY);
      await visitor.pictures(PATIENCE);
      const took = performance.now() - came;
      console.log(`${seconds(performance.now() - start)} s: visitor ${number + 1} has all pictures, ${seconds(took)} s after it came`);
      return { visitor, took };
    }),
  );
  const stats = await Promise.all(crowd.map(({ visitor }) => visitor.stats()));
  const megabytes = (of) => (stats.reduce((all, one) => all + one[of], 0) / 1e6).toFixed(1);
  const dropped = visitors.reduce((all, one) => all + counted(bucket(one), "dropped"), 0);
  const deferred = await place.metric('flashback_shed_total{reason="saturated"');
  console.log(`median ${seconds(middle(crowd.map(({ took }) => took)))} s; ${megabytes("peer")} MB from visitors, ${megabytes("origin")} MB from the origin`);
  console.log(`visitors' uplinks dropped ${dropped} packets; the way out was deferred ${deferred} times`);
  for (const { visitor } of crowd) {
    await assertPictures(visitor);
    await assertLaw3(visitor);
  }
}

/** Whoever has not all pictures by then never has. */
const PATIENCE = 300_000;
const place = await stage({ address: "10.77.0.1", settings: `${SETTINGS}engage_at = 0.0\n[origin]\nuplink = "${uplink}"\n` });
const browsers = [];
const end = async () => {
  await Promise.all(browsers.map((one) => one.close()));
  await place.end();
  rmSync(folder, { recursive: true, force: true });
};
let ending = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    ending = true;
    void end().finally(() => process.exit(1));
  });
}
try {
  await place.hot(GALLERY);
  // Service workers need a secure context, which an address is not.
  const secure = `--unsafely-treat-insecure-origin-as-secure=${place.site}`;
  for (const one of visitors) browsers.push(await browser(command(one), [secure]));
  await play(place, browsers);
} catch (error) {
  // Browsers that are ended in the midst complain.
  if (!ending) throw error;
} finally {
  await end();
}
