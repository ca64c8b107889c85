// Fails when a script outgrows its budget (design.md, budgets): bytes after gzip -9.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budgets = { "client.js": 10 * 1024, "sw.js": 3 * 1024, "notice.js": 2.5 * 1024 };
let grown = false;
for (const [name, budget] of Object.entries(budgets)) {
  const size = gzipSync(readFileSync(new URL(`dist/${name}`, import.meta.url)), { level: 9 }).length;
  console.log(`${name}: ${size} of ${budget} bytes`);
  grown ||= size > budget;
}
process.exitCode = grown ? 1 : 0;
