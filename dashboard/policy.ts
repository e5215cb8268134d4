/** What the built page may load and whom it may ask: its content security policy, and the address of the API that belongs to it. */
import type { Plugin } from "vite";

/** The local stand-ins have a port each. A policy cannot name an IPv6 address. */
const LOOPBACK = ["127.0.0.1", "localhost"].flatMap((host) => [`http://${host}:*`, `ws://${host}:*`]);
const SIGNALR = ["https://*.service.signalr.net", "wss://*.service.signalr.net"];

/** The policy of a page whose API has this origin; `null` for the page's own. Throws for an address that is not http or https. */
export function policyFor(api: string | null): string {
  const connect = ["'self'", ...(api === null ? [] : [originOf(api)]), ...SIGNALR, ...LOOPBACK];
  return `default-src 'self'; connect-src ${connect.join(" ")}; object-src 'none'; base-uri 'none'; form-action 'none'`;
}

function originOf(api: string): string {
  const { origin, protocol } = new URL(api);
  if (protocol !== "https:" && protocol !== "http:") throw new Error(`FIELDCAST_API is no http or https address: ${api}`);
  return origin;
}

/** Puts the policy and the address into the built page. Not into the development server's, which has scripts of its own. */
export function policyPlugin(api: string | null): Plugin {
  return {
    name: "fieldcast-policy",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: (html) => {
        const tag = `<meta http-equiv="Content-Security-Policy" content="${policyFor(api)}" />`;
        const address = `<meta name="fieldcast-api" content="${api === null ? "" : new URL(api).href}" />`;
        // First of all, because it holds only for what comes after it.
        return html.replace(/<meta name="fieldcast-api"[^>]*>/, address).replace(/<meta charset[^>]*>/, (charset) => `${charset}\n    ${tag}`);
      },
    },
  };
}
