/** Entry point: finds the service and starts the page. */
import "./style.css";
import { App } from "./app";
import { apiBase } from "./link/base";
import { LinkError } from "./link/cause";
import type { Ports } from "./link/link";
import { signalrConnection } from "./link/signalr";
import { loadSnapshot } from "./link/snapshot";

const page = new URL(location.href);
const meta = document.querySelector<HTMLMetaElement>('meta[name="fieldcast-api"]');
const base = apiBase(page, meta?.content ?? null);

const time = { now: () => Date.now(), chance: () => Math.random() };

function portsTo(api: string): Ports {
  return {
    connect: () => signalrConnection(api),
    load: (signal) => loadSnapshot({ fetch: (input, init) => fetch(input, init), base: api, now: time.now }, signal),
    ...time,
  };
}

/** Where there is no address, every try fails with that cause, and the page says so. */
function portsToNowhere(): Ports {
  const fail = (): Promise<never> => Promise.reject(new LinkError({ kind: "address" }));
  return {
    connect: () => ({ start: fail, stop: () => Promise.resolve(), onMessage: () => undefined, onClose: () => undefined }),
    load: fail,
    ...time,
  };
}

const app = new App(base === null ? portsToNowhere() : portsTo(base), () => ({
  base: base ?? "",
  foreign: base !== null && !base.startsWith(`${page.origin}/`),
  network: navigator.onLine,
}));
app.start();
