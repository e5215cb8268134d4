/** What the page says about its link, in words with what to do next. Pure. */
import type { Cause } from "../link/cause";
import type { LinkState } from "../link/machine";

/** The four states that people tell apart. */
export type LinkName = "connecting" | "live" | "reconnecting" | "offline";

export interface LinkWords {
  readonly name: LinkName;
  /** Beside the name: the countdown or what is being done. */
  readonly detail: string;
  /** What is wrong, and what to do; `null` while nothing is. */
  readonly problem: { readonly what: string; readonly advice: string } | null;
}

/** Where the page stands, for the advice. */
export interface Place {
  /** Address of the service's API. */
  readonly base: string;
  /** Another origin than the page's: then the browser needs CORS headers. */
  readonly foreign: boolean;
  /** The browser says that there is a network. Loopback works without one. */
  readonly network: boolean;
}

/** About fifteen seconds of trying: by then it is no hiccup any more. It is still tried for ever. */
export const OFFLINE_AFTER = 5;

export function describeLink(link: LinkState, place: Place, now: number): LinkWords {
  return {
    name: linkName(link),
    detail: detail(link, now),
    problem: isTrouble(link.cause) ? { what: what(link.cause, place), advice: advice(link.cause, place) } : null,
  };
}

function linkName(link: LinkState): LinkName {
  if (link.phase.kind === "live") return "live";
  if (link.failures >= OFFLINE_AFTER) return "offline";
  return link.everLive ? "reconnecting" : "connecting";
}

/** A connection that ended is made again at once, mostly: the header's words suffice, and the page does not jump. */
function isTrouble(cause: Cause | null): cause is Trouble {
  return cause !== null && cause.kind !== "closed";
}

function detail(link: LinkState, now: number): string {
  const doing = activity(link, now);
  return link.cause?.kind === "closed" ? `connection ended · ${doing}` : doing;
}

function activity({ phase }: LinkState, now: number): string {
  switch (phase.kind) {
    case "loading":
      return "loading the devices";
    case "waiting":
      return `next try in ${Math.max(1, Math.ceil((phase.retryAt - now) / 1000))} s`;
    case "opening":
      return "trying now";
    case "idle":
    case "live":
      return "";
  }
}

type Trouble = Exclude<Cause, { kind: "closed" }>;

function what(cause: Trouble, { base }: Place): string {
  if (cause.kind === "address") return "The address of the API is not an http or https address.";
  const who = cause.step === "push" ? "the SignalR service" : `${base}/${ROUTES[cause.step]}`;
  switch (cause.kind) {
    case "unreachable":
      return `No answer from ${who}.`;
    case "overdue":
      return `No answer from ${who} within 20 seconds.`;
    case "unreadable":
      return `An answer that is not fieldcast's from ${who}.`;
    case "status":
      return `Status ${cause.status} from ${who}.`;
  }
}

const ROUTES = { negotiate: "negotiate", snapshot: "getdevicestate" } as const;

function advice(cause: Trouble, place: Place): string {
  switch (cause.kind) {
    case "address":
    case "unreadable":
      return "It is set by ?api=… in this page's address, or by whoever publishes the page.";
    case "unreachable":
      return cause.step === "push" ? PUSH_ADVICE : unreachableAdvice(place);
    case "overdue":
      return "It may be starting. If this stays, see its log.";
    case "status":
      return cause.step === "push" ? "Check the connection string of SignalR in the function app's settings." : statusAdvice(cause.status);
  }
}

const PUSH_ADVICE = "Check that it runs, and that no proxy or firewall keeps this browser from it.";

function unreachableAdvice({ foreign, network }: Place): string {
  if (!network) return "This machine says that it has no network. Check the cable or the Wi-Fi.";
  if (foreign) return "Check that it runs, and that its CORS settings allow this page's origin.";
  return "Check that it runs; on a laptop, cargo dev up starts it.";
}

function statusAdvice(status: number): string {
  if (status === 401 || status === 403) return "It wants a sign-in or a key that this page does not have.";
  if (status === 404) return "The functions are not there. Check the address of the API: ?api=… in this page's address.";
  if (status === 429) return "It is asked too often; the page waits longer between tries.";
  return "The fault is on the service's side; its log says more.";
}
