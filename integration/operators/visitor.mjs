// A visitor without a browser: it opens the page, joins its room and says what a browser would say. No byte of the page
// travels between these visitors; what they report is invented, and bounded as the broker bounds everybody.
import { createSocket } from "node:dgram";
import WebSocket from "ws";
import { ask, pause } from "./flashback.mjs";

/** Opens a page as a browser does; the text of the answer. */
export const open = async (site, path = "/", headers = {}) =>
  (await ask(site + path, { headers: { accept: "text/html", "sec-fetch-dest": "document", ...headers } })).body;

/** Opens the page and asks for some of its pictures; the text of the page. */
export async function load(site) {
  const html = await open(site);
  for (const picture of ["aurora", "dunes", "agate"])
    await open(site, `/pictures/${picture}.jpg`, { "sec-fetch-dest": "image", referer: `${site}/` });
  return html;
}

/** Visits that double again and again, until `enough` says so. */
export async function surge(site, enough) {
  for (let visits = 1; !(await enough()); visits = Math.min(visits * 4, 64)) {
    await Promise.all([pause(1_000), ...Array.from({ length: visits }, () => open(site))]);
  }
}

/** The token of a carried page; none, while it is not carried. */
export function token(html) {
  const json = /id="flashback-page">(.*?)<\/script>/s.exec(html)?.[1];
  return json && Buffer.from(JSON.parse(json).token, "base64");
}

/** Joins the room. Of its links, one of `fails` fails; it says so, and each second what it got and gave. */
export function join(site, token, { fails = 6, fault = false } = {}) {
  const socket = new WebSocket(`${site.replace("http", "ws")}/.flashback/signal`);
  let [origin, peer, given, links, met] = [0, 0, 0, 0, 0];
  // People and their links differ.
  const [share, generosity] = [0.5 + 0.48 * Math.random(), 0.15 + 0.8 * Math.random()];
  const report = setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN || links === 0) return;
    const got = 120_000 + Math.round(Math.random() * 40_000);
    [origin, peer, given] = [origin + Math.round(got * (1 - share)), peer + Math.round(got * share), given + Math.round(got * generosity)];
    const message = Buffer.alloc(26);
    message.writeUInt8(0x44);
    [origin, peer, given].forEach((bytes, at) => message.writeBigUInt64BE(BigInt(bytes), 1 + 8 * at));
    message.writeUInt8(links, 25);
    socket.send(message);
  }, 1_000);
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.on("open", () => socket.send(Buffer.concat([Buffer.of(0x40, 1), token])));
  socket.on("error", () => {});
  socket.on("close", () => clearInterval(report));
  socket.on("message", (message) => {
    if (message[0] !== 0x61) return;
    met += 1;
    const failed = Math.random() < 1 / fails;
    links += failed ? 0 : 1;
    const took = 60 + Math.round(Math.random() ** 3 * 900);
    socket.send(Buffer.of(0x45, ...message.subarray(1, 5), failed ? 1 : 0, took >> 8, took & 255));
    // One accusation: a false block.
    if (fault && met === 1) socket.send(Buffer.of(0x43, ...message.subarray(1, 5), 35));
  });
  return { gone, leave: () => socket.close() };
}

/** Asks the STUN responder for its own address; the answer's length. */
export function learn(stun) {
  const at = stun.lastIndexOf(":");
  const socket = createSocket("udp4");
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (answer) => {
      socket.close();
      resolve(answer.length);
    });
    const request = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), Buffer.alloc(12, 7)]);
    socket.send(request, Number(stun.slice(at + 1)), stun.slice(0, at));
  });
}
