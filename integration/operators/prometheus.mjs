// A real Prometheus looks at a demo whose page has a crowd: every query of every panel, rule and alert must return values
// at its stage (calm, hot, cooling), and what an operator sees is drawn from the answers.
//
//   node prometheus.mjs [--draw FILE.svg]
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join as path } from "node:path";
import { draw } from "./draw.mjs";
import { ask, bounded, demo, ended, pause, started, until } from "./flashback.mjs";
import { join, learn, load, open, surge, token } from "./visitor.mjs";

const GRAFANA = path(import.meta.dirname, "..", "..", "grafana");
const VISITORS = 40;
/** Where operators would read it. */
const RUNBOOK = "https://operators.example/runbook";

/** Queries of histograms and of what is filtered to "above zero" have no value before a crowd. */
const needsCrowd = (query) => /_bucket|_sum|_count|> 0|:ratio5m/.test(query);

/** An alert's query without its thresholds: there must be something to compare. */
const measured = (query) => query.replace(/\s(==|>=|<=|>|<)\s[\d.]+/g, "").replace(" unless ", " and ");

function queries() {
  const found = [];
  for (const file of readdirSync(path(GRAFANA, "dashboards"))) {
    const dashboard = JSON.parse(readFileSync(path(GRAFANA, "dashboards", file)));
    const add = (at, query) => found.push({ at: `${dashboard.uid}, ${at}`, query: query.replaceAll("$instance", ".*") });
    for (const { title, targets } of dashboard.panels) for (const { expr } of targets) add(title, expr);
    for (const { name, expr } of dashboard.annotations.list) if (expr) add(name, expr);
  }
  for (const file of ["rules.yml", "alerts.yml"])
    for (const { name, query } of rules(file)) found.push({ at: name, query: file === "rules.yml" ? query : measured(query) });
  return found;
}

/** Names and queries of a file of rules, as Prometheus itself reads them. */
let prometheus;
const rules = (file) =>
  prometheus.groups.filter((group) => group.file.endsWith(file)).flatMap((group) => group.rules);

async function start(admin, folder) {
  const { port } = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address));
    });
  });
  const config = path(folder, "prometheus.yml");
  // The very rules, but as often as they are looked at here.
  const rules = readFileSync(path(GRAFANA, "rules.yml"), "utf8");
  assert.ok(rules.includes("interval: 15s"), "the interval of the rules has changed its spelling");
  writeFileSync(path(folder, "rules.yml"), rules.replace("interval: 15s", "interval: 1s"));
  const lines = [
    `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: { runbook: "${RUNBOOK}" } }`,
    `rule_files: [${folder}/rules.yml, ${GRAFANA}/alerts.yml]`,
    `scrape_configs: [{ job_name: flashback, static_configs: [{ targets: ["${new URL(admin).host}"] }] }]`,
  ];
  writeFileSync(config, lines.join("\n"));
  execFileSync("promtool", ["check", "config", config], { stdio: ["ignore", "ignore", "inherit"] });
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${folder}/tsdb`, `--web.listen-address=127.0.0.1:${port}`];
  const { child } = await started("prometheus", flags, "stderr", { ready: /(Server is ready)/ });
  const url = `http://127.0.0.1:${port}/api/v1`;
  const api = async (what, parameters = {}) => {
    const { status, body } = await ask(`${url}/${what}?${new URLSearchParams(parameters)}`);
    assert.equal(status, 200, `${what}: ${body}`);
    return JSON.parse(body).data;
  };
  const { groups } = await api("rules");
  return { groups, api, query: async (query) => (await api("query", { query })).result, end: () => ended(child) };
}

/** The queries that have no value now. A series of nothing but NaN is none. */
async function silent(list) {
  const silent = [];
  for (const one of list) {
    const result = await prometheus.query(one.query);
    if (!result.some(({ value }) => Number.isFinite(Number(value[1])))) silent.push(one);
  }
  return silent;
}

/**
 * Listens from now on until each of the queries has had a value: what looks at the last minute alone is silent again
 * before the slowest has spoken.
 */
async function speaks(stage, list) {
  const began = Date.now();
  let rest = list;
  await until(
    `every query has a value while ${stage}`,
    async () => (rest = await silent(rest)).map(({ at, query }) => `${at}: ${query}`),
    (left) => left.length === 0,
    { every: 500 },
  );
  console.log(`${stage}: ${list.length} queries have values (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

/** A crowd comes, and with it some who want nothing of ours, and two who have no business there. */
async function gather(site) {
  const visitors = [];
  await until("the page is carried", () => load(site.site), token, { every: 50 });
  for (let n = 0; n < VISITORS; n++) {
    visitors.push(join(site.site, token(await open(site.site)), { fault: n % 12 === 5 }));
    // Some have seen enough; what they gave is told as they leave.
    if (n >= 12 && n % 4 === 0) visitors[n - 12].leave();
    await open(site.site, "/", n % 4 ? {} : { "save-data": "on" });
    await learn(site.stun);
    await pause(500);
  }
  const strangers = [Buffer.alloc(29, 1), Buffer.alloc(3)].map((token) => join(site.site, token));
  await Promise.all(strangers.map(({ gone }) => gone));
  return visitors;
}

const firing = async () => (await prometheus.api("alerts")).alerts.filter(({ state }) => state === "firing");
const state = async (site) => (await site.status()).crowds.find(({ key }) => key.endsWith("/"))?.state ?? "calm";

/** From calm to cooling. */
async function watch() {
  prometheus = await start(site.admin, folder);
  const all = queries();
  assert.ok(all.length > 50, `only ${all.length} queries were found`);

  await open(site.site, "/murmuration");
  await speaks("calm", all.filter(({ query }) => !needsCrowd(query)));
  assert.ok((await silent(all)).length > 0, "what only a crowd can tell has a value without one");
  assert.deepEqual(await firing(), [], "alerts while calm");

  await surge(site.site, async () => (await state(site)) === "hot");
  const [visitors] = await Promise.all([gather(site), speaks("hot", all)]);
  const alerts = await firing();
  assert.deepEqual([...new Set(alerts.map(({ labels }) => labels.alertname))], ["FlashbackCrowd"], "alerts while hot");
  assert.equal(alerts[0].annotations.runbook_url, `${RUNBOOK}#flashbackcrowd`);
  // Some more scrapes with everybody there, so that the curves have a plateau.
  for (let n = 0; n < 20; n++) {
    await open(site.site);
    await pause(500);
  }

  for (const visitor of visitors) {
    visitor.leave();
    await visitor.gone;
  }
  await until("cooling", () => state(site), (now) => now === "cooling", { within: 180_000 });
  await speaks("cooling", all);
  const file = process.argv[process.argv.indexOf("--draw") + 1];
  if (process.argv.includes("--draw")) {
    writeFileSync(file, await draw(prometheus.api, GRAFANA, began, Date.now() / 1000));
    console.log(`drawn: ${file}`);
  }
}

execFileSync("promtool", ["check", "rules", "rules.yml", "alerts.yml"], { cwd: GRAFANA, stdio: ["ignore", "ignore", "inherit"] });
execFileSync("promtool", ["test", "rules", "tests/rules.yml", "tests/alerts.yml"], { cwd: GRAFANA, stdio: ["ignore", "ignore", "inherit"] });
console.log("promtool: rules and alerts hold their tests");

const folder = mkdtempSync(path(tmpdir(), "flashback-"));
const began = Date.now() / 1000;
const site = await demo();
try {
  await bounded(240, watch);
} finally {
  await prometheus?.end?.();
  await site.end();
  rmSync(folder, { recursive: true, force: true });
}
