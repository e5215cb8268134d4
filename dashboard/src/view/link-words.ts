/** What the page says about its link, and its advice when something is wrong. Pure. */
import { followsEverything } from "../core/following";
import type { Cause, Step } from "../link/cause";
import type { LinkState } from "../link/machine";
import { statusOf, type Status } from "../link/status";

export interface LinkWords {
  readonly name: Status;
  /** Shown beside the name: a countdown, or what the page is doing. */
  readonly detail: string;
  /** What is wrong and what to do about it; `null` when nothing is wrong. */
  readonly problem: { readonly what: string; readonly advice: string } | null;
}

/** How the page reaches the API, for the advice. */
export interface ApiAccess {
  /** Address of the service's API. */
  readonly base: string;
  /** The API has another origin than the page, so the browser needs CORS headers. */
  readonly foreign: boolean;
  /** Whether the browser has a network. The machine itself can be reached without one. */
  readonly network: boolean;
  /** An address of the API that the page's address asked for and did not get. */
  readonly ignored: string | null;
}

/** What somebody asked for and did not get, in sentences. */
export function remarksOf({ refused, following }: Pick<LinkState, "refused" | "following">, { ignored }: Pick<ApiAccess, "ignored">): readonly string[] {
  const remarks: string[] = [];
  if (ignored !== null) remarks.push(`This page takes no data from ${shortened(ignored)}: ?api=… may only name this machine. The usual address is used.`);
  if (refused.length > 0) {
    const names = refused.slice(0, 3).map((group) => `“${shortened(group.replace(/^(geo|device):/, ""))}”`).join(", ");
    const more = refused.length > 3 ? ` and ${refused.length - 3} more` : "";
    remarks.push(`The service does not accept the name ${names}${more}, so it is not followed.${followsEverything(following) ? " All areas are followed." : ""}`);
  }
  return remarks;
}

function shortened(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}

export function describeLink(link: LinkState, access: ApiAccess, now: number): LinkWords {
  const name = statusOf(link, now);
  return {
    name,
    detail: detail(link, name, now),
    problem: isTrouble(link.cause, name) ? { what: what(link.cause, access), advice: advice(link.cause, access) } : null,
  };
}

/**
 * Whether the notice is shown. Not for a connection that has ended, because it is usually back at once, and not for a failed
 * question to the store while messages still come in.
 */
function isTrouble(cause: Cause | null, name: Status): cause is Trouble {
  if (cause === null || cause.kind === "closed") return false;
  return name !== "live" || cause.kind === "deaf";
}

function detail(link: LinkState, name: Status, now: number): string {
  const doing = activity(link, name, now);
  return link.cause?.kind === "closed" ? `connection ended · ${doing}` : doing;
}

function activity({ phase, notBefore }: LinkState, name: Status, now: number): string {
  const nextTry = (at: number): string => {
    const wait = `next try in ${Math.max(1, Math.ceil((at - now) / 1000))} s`;
    return now < notBefore ? `the service is busy · ${wait}` : wait;
  };
  switch (phase.kind) {
    case "joining":
      return "subscribing";
    case "loading":
      return phase.retryAt === undefined ? "loading the devices" : nextTry(phase.retryAt);
    case "waiting":
      return nextTry(phase.retryAt);
    case "opening":
      return "trying now";
    case "live":
      return name === "stale" ? "nothing heard, and the store has not answered" : "";
    case "idle":
      return "";
  }
}

type Trouble = Exclude<Cause, { kind: "closed" }>;

function what(cause: Trouble, { base }: ApiAccess): string {
  if (cause.kind === "address") return "The address of the API is not an http or https address.";
  if (cause.kind === "deaf") return "Connected to the SignalR service, but changes do not arrive through it.";
  const who = cause.step === "push" ? "the SignalR service" : `${base}/${ROUTES[cause.step]}`;
  switch (cause.kind) {
    case "unreachable":
      return `No answer from ${who}.`;
    case "overdue":
      return `No answer from ${who} within 20 seconds.`;
    case "unreadable":
      return `An answer from ${who} that is not fieldcast's.`;
    case "status":
      return `Status ${cause.status} from ${who}.`;
  }
}

const ROUTES = { negotiate: "negotiate", subscribe: "subscriptions", snapshot: "getdevicestate" } as const;

function advice(cause: Trouble, access: ApiAccess): string {
  switch (cause.kind) {
    case "deaf":
      return DEAF_ADVICE;
    case "address":
    case "unreadable":
      return "The address is set by ?api=… in this page's address, or by the publisher of the page.";
    case "unreachable":
      return cause.step === "push" ? PUSH_ADVICE : unreachableAdvice(access);
    case "overdue":
      return "It may be starting. If this does not change, see its log.";
    case "status":
      return statusAdvice(cause.step, cause.status);
  }
}

const DEAF_ADVICE = "The page makes a new connection and asks for what it missed. If this does not change, see the function app's log for pushes that failed.";
const PUSH_ADVICE = "Check that it runs, and that no proxy or firewall blocks this browser.";

function unreachableAdvice({ foreign, network }: ApiAccess): string {
  if (!network) return "This machine has no network. Check the cable or the Wi-Fi.";
  if (foreign) return "Check that it runs, and that its CORS settings allow this page's origin.";
  return "Check that it runs; on a laptop, cargo dev up starts it.";
}

function statusAdvice(step: Step, status: number): string {
  if (step === "push") return "Check the connection string of SignalR in the function app's settings.";
  if (step === "subscribe" && status === 400) return "The service does not accept the name of an area or a device that is followed. Follow others.";
  if (step === "subscribe" && status === 404) return "The service no longer knows this page's connection; the page makes a new one.";
  if (status === 401 || status === 403) return "It requires a sign-in or a key that this page does not have.";
  if (status === 404) return "The functions are not there. Check the address of the API: ?api=… in this page's address.";
  if (status === 429) return "It gets too many requests. The page waits as long as it asks for, and longer between tries.";
  return "The error is in the service; its log says more.";
}
