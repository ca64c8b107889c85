/** Getting our service worker in control of the page, without ever taking the place of another. */
import { PREFIX, type ToWorker } from "./port";

/** The worker's address. */
export function workerUrl(): string {
  return `${location.origin}${PREFIX}sw.js`;
}

/** Resolves when our worker controls this page; to false if the site has a worker of its own. Rejects if it cannot. */
export async function takeControl(): Promise<boolean> {
  const { serviceWorker } = navigator;
  const ours = workerUrl();
  // One registration per scope: registering over the site's own would silently replace it.
  for (const place of [location.href, "/"]) {
    const found = await serviceWorker.getRegistration(place);
    const worker = found?.active ?? found?.waiting ?? found?.installing;
    if (worker && worker.scriptURL !== ours) return false;
  }
  if (!serviceWorker.controller) {
    const controlled = new Promise((resolve) => {
      serviceWorker.addEventListener("controllerchange", resolve);
    });
    const { active } = await serviceWorker.register(ours, { scope: "/" });
    // Active already, but a hard reload goes past it.
    const claim: ToWorker = { what: "flashback:claim" };
    active?.postMessage(claim);
    await controlled;
  }
  return serviceWorker.controller?.scriptURL === ours;
}
