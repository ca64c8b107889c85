/** Who is not enlisted: visitors that cannot, and those who said that they would rather not. */

/** What not every browser has, and TypeScript's library does not know. */
interface Asking extends Navigator {
  connection?: { saveData?: boolean; type?: string; effectiveType?: string };
  globalPrivacyControl?: boolean;
}

/** Why this visitor is left alone; undefined if it may take part. */
export function refusal(navigator: Asking): string | undefined {
  const { connection } = navigator;
  // Pages without TLS have no service worker either.
  if (!("serviceWorker" in navigator && "RTCPeerConnection" in window)) return "unable";
  if (navigator.globalPrivacyControl) return "privacy control";
  if (connection?.saveData) return "saving data";
  if (connection?.type === "cellular" || connection?.effectiveType?.match(/[23]g/)) return "cellular";
  return undefined;
}

/** Whether this is a phone or the like: less memory is used, and nothing is given while the page is hidden. */
export function mobile(): boolean {
  return /Mobi|Android/.test(navigator.userAgent);
}

/** Whether nobody looks at the page, and perhaps nobody ever will. */
export function prerendering(): boolean | undefined {
  return (document as { prerendering?: boolean }).prerendering;
}
