/**
 * The debug panel of a page opened with `?flashback=debug`: what was got from whom, what was given, and the switch. A
 * bundle of its own, loaded only then; lives in a shadow root, so that neither it nor the page styles the other.
 */
import type { Flashback, Stats } from "./api";
import type { Manifest, PageObject } from "./manifest";

/** Shows the panel of a visit, and keeps it up to date. */
export function show(api: Flashback, manifest: Manifest): void {
  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  // A constructed sheet: a page's policy forbids inline styles more often than not.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const state = element("output", "state");
  const off = element("button", "off", "switch off");
  off.addEventListener("click", () => {
    api.off();
  });
  const figures = element("dl", "figures");
  const objects = element("ol", "objects");
  root.append(element("header", "", element("b", "", "flashback"), state, off), figures, objects, legend());
  document.documentElement.append(host);

  const rows = new Map(manifest.map((object) => [object, row(object)]));
  objects.append(...[...rows.values()].map(({ line }) => line));
  const draw = (): void => {
    state.textContent = api.reason ? `${api.state}: ${api.reason}` : api.state;
    state.className = `state ${api.state}`;
    off.hidden = api.state === "off";
    figures.replaceChildren(...describe(api.stats()));
    for (const [object, { bar, text }] of rows) {
      const { origin, peer } = object;
      bar[0].style.width = share(peer, object.length);
      bar[1].style.width = share(origin, object.length);
      text.textContent = origin + peer > 0 ? `${size(origin + peer)} of ${size(object.length)}` : size(object.length);
    }
  };
  draw();
  api.addEventListener("state", draw);
  // Bytes come by the thousand; the eye has time.
  setInterval(draw, REDRAW);
}

interface Row {
  line: HTMLElement;
  bar: [peer: HTMLElement, origin: HTMLElement];
  text: HTMLElement;
}

function row(object: PageObject): Row {
  const bar: Row["bar"] = [element("i", "peer"), element("i", "origin")];
  const text = element("span", "text");
  const name = element("span", "name", decodeURI(new URL(object.url).pathname));
  return { line: element("li", "", name, text, element("span", "bar", ...bar)), bar, text };
}

function describe({ origin, peer, given, links }: Stats): HTMLElement[] {
  const got = origin + peer;
  const figures = [
    ["links", `${links}`],
    ["from visitors", `${size(peer)} (${share(peer, got)})`],
    ["from the origin", size(origin)],
    ["given", `${size(given)} (${share(given, got)} of what was got)`],
  ];
  return figures.flatMap(([term, value]) => [element("dt", "", term ?? ""), element("dd", "", value ?? "")]);
}

function legend(): HTMLElement {
  return element("footer", "", element("i", "peer"), "from visitors ", element("i", "origin"), "from the origin");
}

function element(name: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function share(part: number, whole: number): string {
  return `${whole > 0 ? Math.round((100 * part) / whole) : 0}%`;
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Milliseconds between two drawings. */
const REDRAW = 250;

const STYLE = `
:host { all: initial; position: fixed; z-index: 2147483647; right: 12px; bottom: 12px; width: min(340px, calc(100vw - 24px));
  max-height: 60vh; overflow: auto; box-sizing: border-box; padding: 12px 14px; border: 1px solid var(--line); border-radius: 10px;
  font: 12px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; color: var(--ink); background: var(--paper);
  box-shadow: 0 6px 24px #0003; --ink: #1b1d22; --paper: #fffffff2; --line: #d8dbe2; --faint: #e6e9ee; --peer: #2a9d6f;
  --origin: #c98a1b; }
@media (prefers-color-scheme: dark) { :host { --ink: #e7e9ee; --paper: #16181df2; --line: #343842; --faint: #2a2e37; } }
header { display: flex; align-items: center; gap: 8px; font-size: 13px; }
.state { padding: 0 8px; border-radius: 9px; background: var(--faint); }
.state.carrying { background: var(--peer); color: #fff; }
.off { margin-left: auto; padding: 1px 8px; font: inherit; color: inherit; background: none; border: 1px solid currentColor;
  border-radius: 6px; cursor: pointer; }
.off[hidden] { display: none; }
dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 10px 0; }
dt { opacity: .7; } dd { margin: 0; text-align: right; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 1fr auto; gap: 0 8px; margin: 5px 0; }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; } .text { opacity: .7; }
.bar { grid-column: 1 / -1; display: flex; height: 5px; border-radius: 3px; overflow: hidden; background: var(--faint); }
.bar i { width: 0; transition: width .2s; }
i.peer { background: var(--peer); } i.origin { background: var(--origin); }
footer { margin-top: 8px; opacity: .8; }
footer i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin: 0 4px 0 0; }
footer i.origin { margin-left: 8px; }
`;
