/** Entry point: finds the service and starts the page. */
import "./style.css";
import { App } from "./app";
import { LinkError, signalrConnection, SYSTEM_TIME, type Connection } from "./convergence";
import { apiAddress } from "./link/base";

const page = new URL(location.href);
const meta = document.querySelector<HTMLMetaElement>('meta[name="fieldcast-api"]');
const { base, ignored } = apiAddress(page, meta?.content ?? null);

/** Without a valid address every try fails with that cause, and the page says so. */
function connectionToNowhere(): Connection {
  const fail = (): Promise<never> => Promise.reject(new LinkError({ kind: "address" }));
  return { start: fail, stop: () => Promise.resolve(), connectionId: null, onMessage: () => undefined, onClose: () => undefined };
}

const ports = {
  base: base ?? "",
  connect: () => (base === null ? connectionToNowhere() : signalrConnection(base)),
  fetch,
  time: SYSTEM_TIME,
};

const app = new App(ports, () => ({
  base: ports.base,
  foreign: base !== null && !base.startsWith(`${page.origin}/`),
  network: navigator.onLine,
  ignored,
}));
app.start();
