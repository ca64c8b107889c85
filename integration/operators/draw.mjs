// Draws panels as an operator sees them: the queries are those of the dashboards, the values Prometheus's answers.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const PANELS = [
  ["flashback-helping", "Payload of hot pages, by who sent it"],
  ["flashback-helping", "Share that visitors carried"],
  ["flashback-helping", "Requests, by the state of their page"],
  ["flashback-meeting", "Introductions and what became of them"],
  ["flashback-meeting", "Time to an open link"],
  ["flashback-meeting", "Visitors connected over time"],
];
const COLOURS = ["#0b6e99", "#d9730d", "#448361", "#9065b0", "#d44c47", "#8d6e3f"];
const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [470, 250, 62, 46, 46];

/** The SVG of all panels from `start` to `end`, in Unix seconds. */
export async function draw(api, grafana, start, end) {
  const cells = [];
  for (const [at, [uid, title]] of PANELS.entries()) {
    const dashboard = JSON.parse(readFileSync(join(grafana, "dashboards", `${uid}.json`)));
    const panel = dashboard.panels.find((panel) => panel.title === title);
    const series = [];
    for (const { expr, legendFormat } of panel.targets) {
      const query = expr.replaceAll("$instance", ".*");
      const step = Math.max(1, Math.ceil((end - start) / 200));
      for (const { metric, values } of (await api("query_range", { query, start, end, step })).result)
        series.push({ name: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => (label === "instance" ? "visitors" : metric[label] ?? "")), points: points(values) });
    }
    cells.push(`<g transform="translate(${(at % 2) * WIDTH} ${Math.floor(at / 2) * HEIGHT})">${cell(panel, series, start, end)}</g>`);
  }
  const [width, height] = [2 * WIDTH, Math.ceil(PANELS.length / 2) * HEIGHT];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img" aria-label="Six panels of the dashboards during a crowd">
<style>text{fill:#37352f;font-size:11px}.t{font-size:13px;font-weight:600}.g{stroke:#8884}rect.b{fill:#fff;stroke:#8884}@media(prefers-color-scheme:dark){text{fill:#e6e4df}rect.b{fill:#191919}}</style>
${cells.join("\n")}
</svg>
`;
}

const points = (values) => values.map(([time, value]) => [time, Number(value)]).filter(([, value]) => Number.isFinite(value));

function cell(panel, series, start, end) {
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
  const times = [0, 1, 2, 3].map((minute) => start + minute * 60).filter((time) => time < end);
  const axis = times.map((time) => `<text x="${x(time)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${Math.round((time - start) / 60)} min</text>`);
  const lines = [...series.entries()].reverse().map(([at, { points, base }]) => {
    const line = path(points, x, y);
    const area = stacked && points.length > 1 ? `<path d="${line}${path([...base].reverse(), x, y).replace("M", "L")}Z" fill="${COLOURS[at % 6]}" opacity=".35"/>` : "";
    return `${area}<path d="${line}" fill="none" stroke="${COLOURS[at % 6]}" stroke-width="2" stroke-linejoin="round"/>`;
  });
  let right = LEFT;
  const legend = series.map(({ name }, at) => {
    const entry = `<rect x="${right}" y="${HEIGHT - 20}" width="10" height="4" fill="${COLOURS[at % 6]}"/><text x="${right + 14}" y="${HEIGHT - 14}">${name}</text>`;
    right += 32 + name.length * 6;
    return entry;
  });
  return `<rect class="b" x="4" y="4" width="${WIDTH - 8}" height="${HEIGHT - 8}" rx="6"/><text class="t" x="16" y="27">${panel.title}</text>${grid.join("")}${axis.join("")}${lines.join("")}${legend.join("")}`;
}

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
