/**
 * The bootstrap of a hot page. Whatever goes wrong here, held elements are let go and the page is the origin's own
 * (law 4): nothing throws, nothing is logged.
 */
import { control, type Control } from "./api";
import { bridge, type Bridge } from "./bridge";
import { engine } from "./engine";
import { mobile, refusal } from "./guard";
import { release } from "./hold";
import { readPage, type Page } from "./page";
import { takeControl } from "./register";

// The address names the build; the panel must be of the same.
const script = (document.currentScript as HTMLScriptElement | null)?.src ?? "";
let crossing: Bridge | undefined;

const flashback: Control = control(() => {
  leave("switched off");
});

function leave(reason: string): void {
  release(document);
  crossing?.close();
  crossing = undefined;
  flashback.engine?.close();
  flashback.become("off", reason);
}

/** Takes part, until the page goes. */
function carry(page: Page): void {
  const small = mobile();
  const visitor = engine(page, small ? MEMORY_MOBILE : MEMORY, {
    changed: (what) => flashback.api.dispatchEvent(new Event(what)),
    calm: () => {
      leave("calm");
    },
  });
  flashback.engine = visitor;
  visitor.join();
  takeControl().then((ours) => {
    if (flashback.api.state === "off") return;
    if (!ours) {
      foreign();
      return;
    }
    crossing = bridge(page.manifest, {
      ready: () => {
        release(document);
        flashback.become("carrying", "");
      },
      carry: visitor.carry,
      lost: foreign,
    });
  }, failed);

  // Open connections keep a page out of the back/forward cache, and neighbours waiting for one that has gone.
  addEventListener("pagehide", visitor.close);
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted && crossing) visitor.join();
  });
  // Courtesy to batteries and data plans.
  if (small) {
    document.addEventListener("visibilitychange", () => {
      visitor.quiet(document.hidden);
    });
  }
}

function start(): void {
  const page = readPage(document.getElementById("flashback-page")?.textContent, location.href);
  const refused = page ? refusal(navigator) : "no page of ours";
  if (!page || refused !== undefined) {
    leave(refused ?? "");
    return;
  }
  setTimeout(release, page.holdMilliseconds, document);
  carry(page);
}

function failed(): void {
  leave("failed");
}

function foreign(): void {
  leave("another service worker");
}

async function main(): Promise<void> {
  if (window.flashback) return;
  window.flashback = flashback.api;
  // A page that nobody may ever look at takes no part.
  if ("prerendering" in document && document.prerendering === true) {
    await new Promise((resolve) => {
      document.addEventListener("prerenderingchange", resolve, { once: true });
    });
  }
  start();
  if (new URLSearchParams(location.search).get("flashback") === "debug") {
    const panel = (await import(script.replace("client.js", "panel.js"))) as typeof import("./panel");
    panel.show(flashback);
  }
}

/** Bytes of verified chunks kept in memory. */
const MEMORY = 64 * 1024 * 1024;
const MEMORY_MOBILE = 24 * 1024 * 1024;

main().catch(failed);
