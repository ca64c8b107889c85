/**
 * Letting go of what the server held (`docs/protocol.md`, in the page). The images would let go by themselves when the
 * style's animation ends; this does it as soon as the worker is there, and for the rest, which has no such clock.
 */

import type { Manifest } from "./manifest";

/**
 * Lets everything go, now and, for what the parser has yet to see, when it is done. May be called again. `carried` is
 * what the worker answers.
 */
export function release(of: Document, carried: Manifest = []): void {
  of.querySelector("style[data-flashback]")?.remove();
  restore(of, carried);
  of.addEventListener("DOMContentLoaded", () => {
    restore(of, carried);
  });
}

function restore(of: Document, carried: Manifest): void {
  // Chromium ends a film that gets one range from a worker's own answer and the next from the network, unless it is
  // fetched with CORS, which judges each by itself. Our worker answers no other (`worker/carry.ts`).
  for (const film of of.querySelectorAll<HTMLMediaElement>("[data-flashback-preload]")) {
    if (carried.some(({ url }) => url === film.currentSrc)) film.crossOrigin ??= "anonymous";
  }
  give(of, "data-flashback-hold", "loading");
  give(of, "data-flashback-preload", "preload");
  for (const link of of.querySelectorAll<HTMLLinkElement>("link[rel=flashback-preload]")) link.rel = "preload";
}

/** Gives `attribute` back the value that `mark` remembers; empty stands for none. */
function give(of: Document, mark: string, attribute: string): void {
  for (const element of of.querySelectorAll(`[${mark}]`)) {
    const value = element.getAttribute(mark);
    if (value) element.setAttribute(attribute, value);
    else element.removeAttribute(attribute);
    element.removeAttribute(mark);
  }
}
