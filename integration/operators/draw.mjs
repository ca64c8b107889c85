// Draws panels as an operator sees them: the queries are those of the dashboards, the values Prometheus's answers.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of each dashboard, in the order in which an operator asks, two panels. */
const DASHBOARDS = {
  "flashback-helping": ["Payload of hot pages, by who sent it", "Share that visitors carried"],
  "flashback-meeting": ["Introductions and what became of them", "Time to an open link"],
  "flashback-peers": ["Given over got, by visit", "Faults that visitors report of each other"],
};
const NOTE = "Prometheus's answers to the dashboards' queries, before flashback demo. The visitors are scripted: what they report of each other is invented.";
const COLOURS = ["#0b6e99", "#d9730d", "#448361", "#9065b0", "#d44c47", "#8d6e3f"];
/** What means the same everywhere looks the same everywhere. */
const FIXED = { peer: "#448361", origin: "#d9730d", store: "#0b6e99", open: "#448361", failed: "#d44c47" };
const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM, HEAD] = [470, 230, 62, 46, 46, 34];

/** The SVG of the panels from `start` to `end`, in Unix seconds. */
export async function draw(api, grafana, start, end) {
  const step = Math.max(1, Math.ceil((end - start) / 200));
  const range = async (query) => (await api("query_range", { query: query.replaceAll("$instance", ".*"), start, end, step })).result;
  const rows = [];
  let changes;
  for (const [uid, titles] of Object.entries(DASHBOARDS)) {
    const dashboard = JSON.parse(readFileSync(join(grafana, "dashboards", `${uid}.json`)));
    changes ??= await marks(dashboard, range);
    const cells = [];
    for (const title of titles) {
      const panel = dashboard.panels.find((panel) => panel.title === title);
      cells.push(`<g transform="translate(${cells.length * WIDTH} ${HEAD})">${cell(panel, await series(panel, range), changes, start, end)}</g>`);
    }
    rows.push(`<g transform="translate(0 ${rows.length * (HEIGHT + HEAD)})"><text class="q" x="8" y="24">${dashboard.title}</text>${cells.join("")}</g>`);
  }
  const [width, height] = [2 * WIDTH, rows.length * (HEIGHT + HEAD) + 28];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img" aria-label="Two panels of each of the three dashboards, during a crowd">
<style>text{fill:#37352f;font-size:11px}.q{font-size:16px;font-weight:600}.t{font-size:13px;font-weight:600}.g{stroke:#8884}.m{stroke:#d44c47;stroke-dasharray:3 4}rect.b{fill:#fff;stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#e6e4df}rect.b{fill:#191919}}</style>
${rows.join("\n")}
<text x="8" y="${height - 9}">${NOTE}</text>
</svg>
`;
}

/** When pages changed their state, as the dashboard's annotations have it: the state, and the first time it was seen. */
async function marks(dashboard, range) {
  const found = new Map();
  for (const { expr } of dashboard.annotations.list.filter(({ expr }) => expr))
    for (const { metric, values } of await range(expr)) found.set(metric.to, Math.min(values[0][0], found.get(metric.to) ?? Infinity));
  return [...found];
}

async function series(panel, range) {
  const all = [];
  for (const { expr, legendFormat } of panel.targets)
    for (const { metric, values } of await range(expr)) {
      const name = legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? "");
      all.push({ name, colour: FIXED[name] ?? COLOURS[all.length % COLOURS.length], points: points(values) });
    }
  // What the queries look for and this crowd did not have is no line.
  return all.filter(({ points }) => points.length > 1);
}

const points = (values) => values.map(([time, value]) => [time, Number(value)]).filter(([, value]) => Number.isFinite(value));

function cell(panel, series, changes, start, end) {
  const { unit, custom } = panel.fieldConfig.defaults;
  const stacked = custom.stacking.mode === "normal";
  if (stacked) stack(series);
  const most = Math.max(...series.flatMap(({ points }) => points.map(([, value]) => value)), 0);
  const top = unit === "percentunit" ? 1 : nice(most);
  const x = (time) => LEFT + ((time - start) / (end - start)) * (WIDTH - LEFT - 18);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1].map(
    (part) => `<path class="g" d="M${LEFT} ${y(part * top)}H${WIDTH - 18}"/><text x="${LEFT - 6}" y="${y(part * top) + 4}" text-anchor="end">${written(part * top, unit)}</text>`,
  );
  const times = [0, 1, 2, 3, 4].map((minute) => start + minute * 60).filter((time) => time < end);
  const marked = changes.map(([to, time]) => `<path class="m" d="M${x(time).toFixed(1)} ${TOP - 8}V${y(0)}"/>${label(x(time), to)}`);
  const axis = times.map((time) => `<text x="${x(time).toFixed(1)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${Math.round((time - start) / 60)} min</text>`);
  const lines = [...series].reverse().map(({ colour, points, base }) => {
    const line = path(points, x, y);
    const area = stacked && points.length > 1 ? `<path d="${line}${path([...base].reverse(), x, y).replace("M", "L")}Z" fill="${colour}" opacity=".35"/>` : "";
    return `${area}<path d="${line}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>`;
  });
  let right = LEFT;
  const legend = series.map(({ name, colour }) => {
    const entry = `<rect x="${right}" y="${HEIGHT - 20}" width="10" height="4" fill="${colour}"/><text x="${right + 14}" y="${HEIGHT - 14}">${name}</text>`;
    right += 32 + name.length * 6;
    return entry;
  });
  return `<rect class="b" x="4" y="4" width="${WIDTH - 8}" height="${HEIGHT - 8}" rx="6"/><text class="t" x="16" y="27">${panel.title}</text>${grid.join("")}${axis.join("")}${marked.join("")}${lines.join("")}${legend.join("")}`;
}

/** Beside its line, on the side that has room. */
const label = (at, text) =>
  at > WIDTH - 80 ? `<text x="${(at - 4).toFixed(1)}" y="${TOP - 2}" text-anchor="end">${text}</text>` : `<text x="${(at + 4).toFixed(1)}" y="${TOP - 2}">${text}</text>`;

/** Each series on those before it; `base` is what it stands on. Times at which one has no value count as nothing. */
function stack(series) {
  const below = new Map();
  for (const one of series) {
    one.base = one.points.map(([time]) => [time, below.get(time) ?? 0]);
    one.points = one.points.map(([time, value]) => [time, value + (below.get(time) ?? 0)]);
    for (const [time, value] of one.points) below.set(time, value);
  }
}

const path = (points, x, y) => points.map(([time, value], at) => `${at ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}`).join("");

const nice = (value) => {
  if (value <= 0) return 1;
  const scale = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((step) => step * scale).find((step) => step >= value);
};

function written(value, unit) {
  if (unit === "percentunit") return `${Math.round(value * 100)} %`;
  if (unit === "s") return value < 1 ? `${Math.round(value * 1000)} ms` : `${value} s`;
  if (unit === "Bps") return value >= 1e6 ? `${value / 1e6} MB/s` : `${value / 1e3} kB/s`;
  return `${Number(value.toPrecision(2))}${unit === "reqps" || unit === "ops" ? " /s" : ""}`;
}
