/**
 * The bootstrap of a hot page. Whatever goes wrong here, held elements are let go and the page is the origin's own
 * (law 4): nothing throws, nothing is logged.
 */
import { takeControl } from "./register";
import { api, type State } from "./api";
import { engine, type Engine } from "./engine";
import { readPage } from "./page";
import { mobile, prerendering, refusal } from "./guard";
import type { Page } from "./manifest";
import { release } from "./hold";
import { bridge, type Bridge } from "./bridge";

// The address names the build; the panel must be of the same.
const script = (document.currentScript as HTMLScriptElement | null)?.src ?? "";
let visitor: Engine | undefined;
let crossing: Bridge | undefined;

const flashback = api(
  () => visitor,
  () => {
    leave("off");
  },
);

function become(state: State, reason: string): void {
  if (flashback.state === "off") return;
  flashback.state = state;
  flashback.reason = reason;
  flashback.dispatchEvent(new Event("state"));
}

function leave(reason: string): void {
  release(document);
  crossing?.close();
  crossing = undefined;
  visitor?.close();
  become("off", reason);
}

/** Takes part, until the page goes. */
function carry(page: Page): void {
  const joined = engine(page, mobile(), {
    changed: (what) => flashback.dispatchEvent(new Event(what)),
    calm: () => {
      leave("calm");
    },
  });
  visitor = joined;
  joined.join();
  takeControl().then((ours) => {
    if (flashback.state === "off") return;
    if (!ours) foreign();
    else
      crossing = bridge(page.manifest, {
        ready: () => {
          release(document, page.manifest);
          become("carrying", "");
        },
        carry: joined.carry,
        lost: foreign,
      });
  }, failed);

  // Open connections keep a page out of the back/forward cache, and neighbours waiting for one that has gone.
  addEventListener("pagehide", joined.close);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted && crossing) joined.join();
  });
}

function failed(): void {
  leave("failed");
}

function foreign(): void {
  leave("another worker");
}

async function main(): Promise<void> {
  if (window.flashback) return;
  window.flashback = flashback;
  // A page that nobody may ever look at takes no part.
  if (prerendering()) {
    await new Promise((resolve) => {
      document.addEventListener("prerenderingchange", resolve);
    });
  }
  const page = readPage(document.getElementById("flashback-page")?.textContent, location.href);
  const refused = page ? refusal(navigator) : "no page";
  if (page && !refused) {
    setTimeout(release, page.hold, document);
    carry(page);
  } else {
    leave(refused ?? "");
  }
  if (/[?&]flashback=debug/.test(location.search)) {
    const panel = (await import(script.replace("client.js", "panel.js"))) as typeof import("./panel");
    panel.show(flashback, visitor?.objects ?? []);
  }
}

main().catch(failed);
