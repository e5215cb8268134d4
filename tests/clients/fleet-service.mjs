// A service of the bench's own that speaks what the page speaks: the page's files, `negotiate`, `getdevicestate`,
// `subscriptions`, `rejectedtelemetry`, and SignalR's JSON protocol over WebSocket. Behind it is a fleet that reports
// in turn. It listens on a free port of the loopback address.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import WebSocket from "ws";
import { Fleet } from "./fleet.mjs";

/** SignalR's JSON protocol ends each message with this. */
const END = "\x1e";
/** As often as a handler under load pushes. */
const PUSH_EVERY = 20;
const PING_EVERY = 15_000;

const TYPES = { ".css": "text/css", ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

/** Starts it; `pages` is the folder of the built page. */
export async function startFleetService({ pages, devices, updatesPerSecond }) {
  const fleet = new Fleet(devices);
  const server = createServer((request, response) => void answer(fleet, pages, request, response));
  const sockets = new WebSocket.Server({ server });
  sockets.on("connection", (socket) => socket.once("message", () => socket.send(`{}${END}`)));
  const stop = push(fleet, sockets, updatesPerSecond);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      stop();
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** As many updates as are due by the clock, so that a late timer does not lower the rate. */
function push(fleet, sockets, updatesPerSecond) {
  const started = Date.now();
  let sent = 0;
  const broadcast = (message) => sockets.clients.forEach((socket) => socket.send(`${JSON.stringify(message)}${END}`));
  const pushing = setInterval(() => {
    const due = Math.floor(((Date.now() - started) * updatesPerSecond) / 1000) - sent;
    sent += due;
    if (due > 0) broadcast({ type: 1, target: "newMessage", arguments: [fleet.report(due)] });
  }, PUSH_EVERY);
  const pinging = setInterval(() => broadcast({ type: 6 }), PING_EVERY);
  return () => {
    clearInterval(pushing);
    clearInterval(pinging);
  };
}

async function answer(fleet, pages, request, response) {
  const url = new URL(request.url, "http://service");
  const route = url.pathname.replace(/^\/api\//, "");
  if (route === url.pathname) return sendFile(pages, url.pathname, response);
  if (route === "negotiate") return sendJson(response, negotiated());
  if (route === "getdevicestate") return sendJson(response, fleet.snapshot(url.searchParams));
  if (route === "rejectedtelemetry") return sendJson(response, fleet.rejected(url.searchParams));
  if (route.startsWith("subscriptions/")) {
    return sendJson(response, { group: decodeURIComponent(route.slice("subscriptions/".length)), settlesAfterSeconds: 5 });
  }
  response.writeHead(404).end();
}

/** Without an address to go on to: the connection is made with this service itself. */
function negotiated() {
  const id = crypto.randomUUID();
  const availableTransports = [{ transport: "WebSockets", transferFormats: ["Text"] }];
  return { negotiateVersion: 1, connectionId: id, connectionToken: id, availableTransports };
}

function sendJson(response, value) {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

async function sendFile(pages, path, response) {
  const name = normalize(path === "/" ? "/index.html" : path);
  const bytes = await readFile(join(pages, name)).catch(() => null);
  if (bytes === null) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" }).end(bytes);
}
