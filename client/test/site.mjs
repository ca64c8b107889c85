// A throw-away site on a loopback port that stands in for the Rust side while the client is developed: one page with
// images and a video-like download, the JSON, ranges, and a broker of the smallest kind.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { crc32, deflateSync } from "node:zlib";
import { WebSocketServer } from "ws";

const CHUNK = 16_384;
const BLOCK = 1_024;
const sha = (bytes) => createHash("sha256").update(bytes).digest().subarray(0, 16);
const dist = (name) => readFileSync(new URL(`../dist/${name}`, import.meta.url));

/** A PNG of noise, which no compression makes smaller: 3 bytes per pixel. */
export function noise(width, height) {
  const part = (type, body) => {
    const bytes = Buffer.concat([Buffer.from(type), body]);
    const frame = Buffer.alloc(8 + bytes.length);
    frame.writeUInt32BE(body.length, 0);
    bytes.copy(frame, 4);
    frame.writeUInt32BE(crc32?.(bytes) ?? crc(bytes), 4 + bytes.length);
    return frame;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.concat(Array.from({ length: height }, () => Buffer.concat([Buffer.of(0), randomBytes(width * 3)])));
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([signature, part("IHDR", head), part("IDAT", deflateSync(rows)), part("IEND", Buffer.alloc(0))]);
}

function crc(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

function describe(url, type, bytes, first) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const chunk = bytes.subarray(at, at + CHUNK);
    const blocks = [];
    for (let from = 0; from < chunk.length; from += BLOCK) blocks.push(sha(chunk.subarray(from, from + BLOCK)));
    chunks.push(sha(Buffer.concat(blocks)));
  }
  const list = Buffer.concat(chunks);
  const digest = sha(list).toString("hex");
  return { url, type, length: bytes.length, etag: `"${digest}"`, first, digest, list, bytes };
}

/** Starts the site; `bodies` are `[url, type, bytes]`. */
export async function site(bodies, { html, holds = true, hold = 3000, broken = {} } = {}) {
  const objects = [];
  let first = 0;
  for (const [url, type, bytes] of bodies) {
    objects.push(describe(url, type, bytes, first));
    first += Math.ceil(bytes.length / CHUNK);
  }
  const state = { hot: true, brokerless: false, requests: [], accused: [], reports: new Map(), joined: 0, sockets: new Set(), busy: 0 };
  const server = createServer((request, response) => {
    answer(request, response, objects, state, { html, holds, hold, broken });
  });
  broker(server, state);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    state,
    objects,
    url: `http://localhost:${server.address().port}`,
    calm() {
      state.hot = false;
      for (const socket of state.sockets) socket.send(Buffer.of(0x64));
    },
    killBroker() {
      for (const socket of state.sockets) socket.terminate();
      state.brokerless = true;
    },
    close() {
      for (const socket of state.sockets) socket.terminate();
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer(request, response, objects, state, { html, holds, hold, broken }) {
  const url = new URL(request.url, "http://localhost");
  const path = url.pathname;
  const script = path.startsWith("/.flashback/") ? path.slice(12) : "";
  const send = (status, headers, body) => {
    state.requests.push({ path, status, range: request.headers.range, bytes: body?.length ?? 0, at: Date.now() });
    response.writeHead(status, headers);
    response.end(body);
  };
  if (path === "/") return send(200, { "content-type": "text/html", "cache-control": "no-store" }, page(objects, state, html, holds, hold));
  if (path === "/calm.html") return send(200, { "content-type": "text/html" }, "<!doctype html><img src=/calm.png>");
  if (path === "/calm.png") return send(200, { "content-type": "image/png", "cache-control": "no-store" }, noise(4, 4));
  if (script === "client.js" || script === "panel.js" || script === "sw.js") {
    if (broken[script]) return undefined;
    const headers = { "content-type": "text/javascript", "service-worker-allowed": "/", "cache-control": "no-cache" };
    return send(200, headers, dist(script));
  }
  if (path === "/own.js") return send(200, { "content-type": "text/javascript" }, "// The site's own worker.");
  if (script === "live") return send(state.hot ? 204 : 404, { "cache-control": "no-store" });
  if (script.startsWith("digests/")) {
    const object = objects.find(({ digest }) => script.endsWith(digest));
    return object ? send(200, {}, object.list) : send(404, {});
  }
  if (script.startsWith("object/") && state.busy > 0) {
    state.busy--;
    return send(503, { "retry-after": "1" });
  }
  const object = objects.find((one) => one.url === path || script === `object/${one.digest}`);
  if (!object) return send(404, {});
  const headers = { "content-type": object.type, "accept-ranges": "bytes", etag: object.etag, "cache-control": "no-store" };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  if (!range) return send(200, headers, object.bytes);
  const from = Number(range[1]);
  const to = Math.min(range[2] ? Number(range[2]) + 1 : object.length, object.length);
  headers["content-range"] = `bytes ${from}-${to - 1}/${object.length}`;
  return send(206, headers, object.bytes.subarray(from, to));
}

function page(objects, state, html, holds, hold) {
  const json = {
    v: 1,
    room: "0123456789abcdef",
    token: Buffer.alloc(29, 1).toString("base64"),
    depth: holds ? "media" : "assist",
    hold_ms: hold,
    lan: true,
    objects: objects.map(({ list, bytes, ...object }) =>
      list.length > 128 * 16 ? object : { ...object, chunks: list.toString("base64") },
    ),
  };
  const head = `<style data-flashback>@media (scripting:enabled){[data-flashback-hold]{animation:flashback-hold ${hold}ms step-end}}
@keyframes flashback-hold{from,to{translate:0 -99999px}}</style>
<script type="application/json" id="flashback-page">${JSON.stringify(json).replaceAll("<", "\\u003c")}</script>
<script async data-flashback src="/.flashback/client.js?v=1"></script>`;
  const images = objects.filter(({ type }) => type === "image/png");
  const held = holds && state.hot ? ' loading=lazy data-flashback-hold=""' : "";
  const body = html ?? images.map(({ url }) => `<img src="${url}" width=60 height=60${held}>`).join("\n");
  return `<!doctype html><html><head>${state.hot ? head : ""}<title>site</title></head><body>${body}</body></html>`;
}

/** Introduces every newcomer to all who are there, and hands signals on. */
function broker(server, state) {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (state.brokerless) return socket.destroy();
    return sockets.handleUpgrade(request, socket, head, (visitor) => welcome(visitor, state));
  });
}

function welcome(visitor, state) {
  const number = (type, id, rest = []) => {
    const bytes = Buffer.alloc(5);
    bytes[0] = type;
    bytes.writeUInt32BE(id, 1);
    return Buffer.concat([bytes, Buffer.from(rest)]);
  };
  visitor.on("message", (bytes) => {
    const id = bytes.length >= 5 ? bytes.readUInt32BE(1) : 0;
    if (bytes[0] === 0x40) {
      visitor.id = ++state.joined;
      visitor.send(number(0x60, visitor.id, [0, state.sockets.size]));
      for (const other of state.sockets) {
        other.send(number(0x61, visitor.id));
        visitor.send(number(0x61, other.id));
      }
      state.sockets.add(visitor);
    } else if (bytes[0] === 0x41) {
      for (const other of state.sockets) if (other.id === id) other.send(number(0x62, visitor.id, bytes.subarray(5)));
    } else if (bytes[0] === 0x43) state.accused.push({ by: visitor.id, visitor: id, fault: bytes[5] });
    else if (bytes[0] === 0x44) state.reports.set(visitor.id, [1, 9, 17].map((at) => Number(bytes.readBigUInt64BE(at))));
  });
  visitor.on("close", () => {
    state.sockets.delete(visitor);
    for (const other of state.sockets) other.send(number(0x63, visitor.id));
  });
  visitor.on("error", () => visitor.terminate());
}
