// Which short name each of our properties gets is nothing to the code, and to gzip more than 1 %: what it repeats best depends
// on all that is around. Nobody can tell which are best; this tries, and writes the best that it found to names.json. Worth
// another run when client.js is at its budget: `npm run tune`.
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const SECONDS = 60;
/** Stands in the code around the number of a name; no name of ours has it. */
const MARK = "\u03a9";

/** `minified` gives the code with `names`, and adds those that it chose itself. */
export async function tune({ own, short }, minified) {
  const names = { own, short };
  await minified(names);
  const all = Object.keys(names.short);
  const marked = Object.fromEntries(all.map((name, at) => [name, `${MARK}${at}${MARK}`]));
  // Every second part is the number of a name.
  const parts = (await minified({ own, short: marked })).split(MARK);
  const used = [...new Set(parts.filter((_, at) => at % 2).map(Number))];
  const size = (chosen) => gzipSync(parts.map((part, at) => (at % 2 ? chosen[part] : part)).join(""), { level: 9 }).length;

  let best = Object.values(names.short);
  let least = size(best);
  for (const end = Date.now() + SECONDS * 1000; Date.now() < end; ) {
    const [a, b] = [0, 0].map(() => used[Math.floor(Math.random() * used.length)]);
    const tried = best.with(a, best[b]).with(b, best[a]);
    const its = size(tried);
    if (its <= least) [least, best] = [its, tried];
  }
  const found = used.map((at) => [all[at].slice(1), best[at]]).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync("names.json", `${JSON.stringify(Object.fromEntries(found), undefined, 1)}\n`);
}
