/**
 * The service worker: answers a page's own requests for the objects of its manifest with what the page gets from the
 * swarm, and leaves everything else alone. Holds no state that it cannot ask for again, and removes itself when the site
 * is calm.
 */
import { PREFIX, type Carried, type ToPage, type ToWorker } from "../port";
import { carriable, carry } from "./carry";
import type { Page } from "./source";

/** Milliseconds that a page has to greet before the worker wonders whether anybody needs it. */
const GREETING = 2000;

declare const self: ServiceWorkerGlobalScope;

/** A page that has greeted, and what may be asked of it, by address. */
interface Visitor extends Page {
  objects: Map<string, Carried>;
}

const visitors = new Map<string, Visitor>();
/** Pages that have not greeted, and were asked who they are. */
const strangers = new Set<string>();
/** Pass everything through: the worker is on its way out. */
let calm = false;

self.addEventListener("install", () => void self.skipWaiting());

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("message", (event) => {
  const client = (event.source as Client | null)?.id;
  const message = event.data as ToWorker | null;
  const port = event.ports[0];
  if (!client || !message) return;
  switch (message.what) {
    case "flashback:hello":
      if (port) event.waitUntil(greet(client, port, message.objects));
      break;
    case "flashback:here":
      if (!visitors.has(client)) event.waitUntil(ask(client));
      break;
    case "flashback:claim":
      event.waitUntil(self.clients.claim());
      break;
    case "flashback:bye":
      visitors.delete(client);
      event.waitUntil(leaveIfCalm());
  }
});

self.addEventListener("fetch", (event) => {
  const { request, clientId } = event;
  const visitor = visitors.get(clientId);
  if (!visitor) {
    if (!calm && !strangers.has(clientId)) event.waitUntil(muse(clientId));
    return;
  }
  const object = visitor.objects.get(request.url);
  if (object && carriable(request)) event.respondWith(carry(request, visitor, object).catch(() => fetch(request)));
});

/** Knows the page from now on, and says so: only then does the page let go of what it holds. */
async function greet(client: string, port: MessagePort, objects: readonly Carried[]): Promise<void> {
  calm = false;
  await forgetGone();
  visitors.set(client, {
    port,
    alive: async () => (await self.clients.get(client)) !== undefined,
    objects: new Map(objects.map((object) => [object.url, object])),
  });
  const ready: ToPage = { what: "ready" };
  port.postMessage(ready);
}

/** The first request of a page that has not greeted: this worker was started anew, or the page carries nothing. */
async function muse(client: string): Promise<void> {
  // More than a browser has tabs: then the oldest are forgotten, and asked again.
  if (strangers.size >= 100) strangers.clear();
  strangers.add(client);
  await ask(client);
  await new Promise((resolve) => setTimeout(resolve, GREETING));
  await leaveIfCalm();
}

async function ask(client: string): Promise<void> {
  const who: ToPage = { what: "flashback:who" };
  if (client) (await self.clients.get(client))?.postMessage(who);
}

async function forgetGone(): Promise<void> {
  for (const [client, page] of visitors) if (!(await page.alive())) visitors.delete(client);
}

/** Leaves for good when no page carries and the origin says that all is calm; at any doubt it stays, and does nothing. */
async function leaveIfCalm(): Promise<void> {
  await forgetGone();
  if (visitors.size > 0) return;
  const live = await fetch(`${PREFIX}live`, { cache: "no-store" }).catch(() => undefined);
  if (live?.status !== 404 || visitors.size > 0) return;
  // First pass everything through: pages that are open stay controlled until they go.
  calm = true;
  await self.registration.unregister();
}
