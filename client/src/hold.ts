/**
 * Letting go of what the server held (`docs/protocol.md`, in the page). The images would let go by themselves when the
 * style's animation ends; this does it as soon as the worker is there, and for the rest, which has no such clock.
 */

/** Lets everything go, now and, for what the parser has yet to see, when it is done. May be called again. */
export function release(of: Document): void {
  of.querySelector("style[data-flashback]")?.remove();
  restore(of);
  of.addEventListener("DOMContentLoaded", () => {
    restore(of);
  });
}

function restore(of: Document): void {
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
