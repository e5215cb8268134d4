/** What the page says about its link, in words with what to do next. Pure. */
import type { Cause, Step } from "../link/cause";
import type { LinkState } from "../link/machine";
import { statusOf, type Status } from "../link/status";

export interface LinkWords {
  readonly name: Status;
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

export function describeLink(link: LinkState, place: Place, now: number): LinkWords {
  const name = statusOf(link, now);
  return {
    name,
    detail: detail(link, name, now),
    problem: isTrouble(link.cause, name) ? { what: what(link.cause, place), advice: advice(link.cause, place) } : null,
  };
}

/**
 * A connection that ended is made again at once, mostly: the header's words suffice, and the page does not jump. Nor does
 * it for one question to the store that failed while messages come in.
 */
function isTrouble(cause: Cause | null, name: Status): cause is Trouble {
  if (cause === null || cause.kind === "closed") return false;
  return name !== "live" || cause.kind === "deaf";
}

function detail(link: LinkState, name: Status, now: number): string {
  const doing = activity(link, name, now);
  return link.cause?.kind === "closed" ? `connection ended · ${doing}` : doing;
}

function activity({ phase }: LinkState, name: Status, now: number): string {
  switch (phase.kind) {
    case "joining":
      return "subscribing";
    case "loading":
      return "loading the devices";
    case "waiting":
      return `next try in ${Math.max(1, Math.ceil((phase.retryAt - now) / 1000))} s`;
    case "opening":
      return "trying now";
    case "live":
      return name === "stale" ? "nothing heard, and no answer whether anything changed" : "";
    case "idle":
      return "";
  }
}

type Trouble = Exclude<Cause, { kind: "closed" }>;

function what(cause: Trouble, { base }: Place): string {
  if (cause.kind === "address") return "The address of the API is not an http or https address.";
  if (cause.kind === "deaf") return "Connected to the SignalR service, but changes do not arrive through it.";
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

const ROUTES = { negotiate: "negotiate", subscribe: "subscriptions", snapshot: "getdevicestate" } as const;

function advice(cause: Trouble, place: Place): string {
  switch (cause.kind) {
    case "deaf":
      return DEAF_ADVICE;
    case "address":
    case "unreadable":
      return "It is set by ?api=… in this page's address, or by whoever publishes the page.";
    case "unreachable":
      return cause.step === "push" ? PUSH_ADVICE : unreachableAdvice(place);
    case "overdue":
      return "It may be starting. If this stays, see its log.";
    case "status":
      return statusAdvice(cause.step, cause.status);
  }
}

const DEAF_ADVICE = "The page connects anew and asks for what it missed. If this stays, see the function app's log for pushes that failed.";
const PUSH_ADVICE = "Check that it runs, and that no proxy or firewall keeps this browser from it.";

function unreachableAdvice({ foreign, network }: Place): string {
  if (!network) return "This machine says that it has no network. Check the cable or the Wi-Fi.";
  if (foreign) return "Check that it runs, and that its CORS settings allow this page's origin.";
  return "Check that it runs; on a laptop, cargo dev up starts it.";
}

function statusAdvice(step: Step, status: number): string {
  if (step === "push") return "Check the connection string of SignalR in the function app's settings.";
  if (step === "subscribe" && status === 400) return "The service does not take the name of an area or a device that is followed. Follow others.";
  if (step === "subscribe" && status === 404) return "The service does not know this page's connection any more; the page makes a new one.";
  if (status === 401 || status === 403) return "It wants a sign-in or a key that this page does not have.";
  if (status === 404) return "The functions are not there. Check the address of the API: ?api=… in this page's address.";
  if (status === 429) return "It is asked too often; the page waits longer between tries.";
  return "The fault is on the service's side; its log says more.";
}
