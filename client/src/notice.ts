/**
 * The notice to visitors, where the site turned it on (`[notice]`): that they carry the page, what this visit got and gave,
 * and the switch. A bundle of its own that knows `window.flashback` and nothing else of the client; lives in a shadow root,
 * so that neither it nor the page styles the other.
 */
import type { Flashback } from "./api";

/** What it says in one language; `{got}` and `{given}` stand for amounts. */
interface Texts {
  carried: string;
  figures: string;
  switch_off: string;
  off: string;
  close: string;
}

/** The site's own words by language; the server puts them around this script. */
declare const FLASHBACK_TEXTS: Record<string, Texts>;

/** Waits until something was carried, and says so; unless the visitor has closed it before, or switched it off. */
function begin(api: Flashback): void {
  const word = remembered();
  if (word === OFF) api.off();
  if (word) return;
  const looking = setInterval(() => {
    const { peer, given } = api.stats();
    const told = api.state === "carrying" && peer + given > 0;
    if (told || api.state === "off") clearInterval(looking);
    if (told) show(api);
  }, LOOK);
}

function show(api: Flashback): void {
  const [language, texts] = chosen();
  const host = document.createElement("flashback-notice");
  const root = host.attachShadow({ mode: "open" });
  // A constructed sheet: a page's policy forbids inline styles more often than not.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const box = document.createElement("section");
  Object.assign(box, { lang: language, dir: "auto" });
  box.setAttribute("aria-label", texts.carried);
  const [said, figures, buttons] = [element("p", "said"), element("p", "figures"), element("div", "buttons")];
  // Announced once; the figures change too often to be read aloud.
  said.setAttribute("role", "status");
  const off = element("button", "off", texts.switch_off);
  const close = element("button", "close", "\u00d7");
  close.setAttribute("aria-label", texts.close);
  buttons.append(off, close);
  box.append(said, figures, buttons);
  root.append(box);
  document.documentElement.append(host);

  const count = (): void => {
    const { peer, given } = api.stats();
    figures.textContent = texts.figures.replace("{got}", size(peer, language)).replace("{given}", size(given, language));
  };
  const counting = setInterval(count, LOOK);
  const leave = (): void => {
    clearInterval(counting);
    host.remove();
  };
  off.addEventListener("click", () => {
    remember(OFF);
    api.removeEventListener("state", end);
    clearInterval(counting);
    api.off();
    said.textContent = texts.off;
    // The button that had the focus goes; what is left to do is next to it.
    close.focus();
    off.remove();
    figures.remove();
  });
  close.addEventListener("click", () => {
    // Whoever switched it off before has said more than that.
    if (remembered() !== OFF) remember(CLOSED);
    leave();
  });
  // The crowd is over, or something failed: nothing is carried, so there is nothing to say.
  const end = (): void => {
    if (api.state === "off") leave();
  };
  api.addEventListener("state", end);
  count();
  // A live region speaks of what changes in it, so it must stand there first.
  requestAnimationFrame(() => {
    said.textContent = texts.carried;
  });
}

function element(name: "p" | "div" | "button", className: string, text = ""): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** The first language of page and visitor for which there are words. */
function chosen(): [language: string, texts: Texts] {
  const words = new Map(Object.entries({ ...TEXTS, ...FLASHBACK_TEXTS }).map(([tag, texts]) => [tag.toLowerCase(), texts]));
  for (const tag of [document.documentElement.lang, ...navigator.languages]) {
    const texts = words.get(tag.toLowerCase()) ?? words.get(tag.toLowerCase().split("-")[0] ?? "");
    if (texts) return [tag, texts];
  }
  return ["en", words.get("en") ?? TEXTS.en];
}

function size(bytes: number, language: string): string {
  const [unit, value, maximumFractionDigits] = bytes < 1e6 ? ["kilobyte", bytes / 1e3, 0] : ["megabyte", bytes / 1e6, 1];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits }).format(value);
}

// Storage may be forbidden; then the notice comes again with the next page, which is no harm.
function remembered(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(word: string): void {
  try {
    sessionStorage.setItem(KEY, word);
  } catch {
    // See above.
  }
}

const KEY = "flashback-notice";
const OFF = "off";
const CLOSED = "closed";
/** Milliseconds between two looks at the figures: what is given is told by no event. */
const LOOK = 1_000;

const TEXTS = {
  en: {
    carried: "This page is carried by its visitors.",
    figures: "You got {got} from them and gave them {given}.",
    switch_off: "Switch off",
    off: "Switched off. Everything comes from the site itself now.",
    close: "Close",
  },
  de: {
    carried: "Diese Seite wird von ihren Besuchern getragen.",
    figures: "Sie haben {got} von ihnen bekommen und ihnen {given} gegeben.",
    switch_off: "Ausschalten",
    off: "Ausgeschaltet. Alles kommt jetzt von der Website selbst.",
    close: "Schließen",
  },
  es: {
    carried: "Esta página la llevan sus visitantes.",
    figures: "Ha recibido {got} de ellos y les ha dado {given}.",
    switch_off: "Desactivar",
    off: "Desactivado. Ahora todo viene del propio sitio.",
    close: "Cerrar",
  },
  fr: {
    carried: "Cette page est portée par ses visiteurs.",
    figures: "Vous avez reçu {got} d’eux et leur avez donné {given}.",
    switch_off: "Désactiver",
    off: "Désactivé. Tout vient désormais du site lui-même.",
    close: "Fermer",
  },
};

const STYLE = `
:host { display: contents !important; }
section { all: initial; position: fixed; z-index: 2147483646; inset: auto auto 12px 12px; box-sizing: border-box;
  width: min(21rem, calc(100vw - 24px)); padding: 12px 14px; border: 1px solid #767b86; border-radius: 10px;
  font: 14px/1.45 system-ui, sans-serif; color: #1b1d22; background: #fff; box-shadow: 0 4px 16px #0003; }
p { margin: 0 0 6px; }
.said { font-weight: 600; padding-inline-end: 32px; min-height: 1.45em; }
.figures { font-variant-numeric: tabular-nums; }
button { font: inherit; color: inherit; background: none; border: 1px solid currentColor; border-radius: 6px; min-height: 32px;
  padding: 2px 12px; cursor: pointer; }
.close { position: absolute; inset-block-start: 6px; inset-inline-end: 6px; width: 32px; padding: 0; border-color: transparent;
  font-size: 20px; line-height: 1; }
button:focus-visible { outline: 3px solid #0b5cad; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { section { color: #e7e9ee; background: #16181d; border-color: #8b909b; }
  button:focus-visible { outline-color: #7cb8ff; } }
@media print { section { display: none; } }
`;

/** Both scripts come in any order. */
const client = document.querySelector('script[data-flashback][src*="/.flashback/client.js"]');
if (window.flashback) begin(window.flashback);
else
  client?.addEventListener("load", () => {
    if (window.flashback) begin(window.flashback);
  });
