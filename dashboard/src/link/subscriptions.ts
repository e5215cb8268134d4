/** Tells the service which groups' messages a connection wants. */
import { readErrorCode, readJoined } from "../core/wire";
import { LinkError, RefusedGroups } from "./cause";
import { statusCause } from "./retry-after";

export interface SubscriptionSource {
  readonly fetch: typeof fetch;
  /** Address under which `subscriptions` is, without a slash at the end. */
  readonly base: string;
  now(): number;
}

/**
 * Joins the groups; resolves when the service has confirmed every one. Gives the milliseconds after which every process of
 * the service sends to them; `null` from a service without subscriptions, which sends everything to everybody. When it
 * refuses some of the names, `RefusedGroups` says which.
 */
export async function joinGroups(source: SubscriptionSource, connectionId: string, groups: readonly string[], signal: AbortSignal): Promise<number | null> {
  const refused: string[] = [];
  let settlesAfter: number | null = 0;
  for (const [place, outcome] of (await Promise.allSettled(groups.map((group) => joinGroup(source, connectionId, group, signal)))).entries()) {
    if (outcome.status === "rejected") throw outcome.reason;
    const time: number | "refused" | null = outcome.value;
    if (time === "refused") refused.push(groups[place] ?? "");
    else settlesAfter = settlesAfter === null || time === null ? null : Math.max(settlesAfter, time);
  }
  if (refused.length > 0) throw new RefusedGroups(refused);
  return settlesAfter;
}

/** Spares the service some messages. If this fails, they keep coming and are ignored. */
export async function leaveGroups(source: SubscriptionSource, connectionId: string, groups: readonly string[]): Promise<void> {
  await Promise.allSettled(groups.map((group) => source.fetch(...call(source, connectionId, group, { method: "DELETE" }))));
}

async function joinGroup(source: SubscriptionSource, connectionId: string, group: string, signal: AbortSignal): Promise<number | "refused" | null> {
  const response = await source.fetch(...call(source, connectionId, group, { method: "PUT", signal, headers: { accept: "application/json" } }));
  const body: unknown = await response.json().catch(() => undefined);
  const code = readErrorCode(body);
  if (response.status === 404 && code !== "unknown_connection") return null;
  if (response.status === 400 && code === "bad_group") return "refused";
  if (!response.ok) throw new LinkError(statusCause("subscribe", response, source.now()));
  const joined = readJoined(body);
  // A name that was cut or decoded on its way is another group's: nothing would come from the one that was meant.
  if (joined?.group !== group) throw new LinkError({ kind: "unreadable", step: "subscribe" });
  return joined.settlesAfter * 1000;
}

interface Init {
  readonly method: "PUT" | "DELETE";
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Names the group in the query, because hosts decode, cut and rewrite the path. A name with a comma is in the body: hosts
 * join with commas what a query has twice, so the service refuses a name there that looks like several.
 */
function call({ base }: SubscriptionSource, connectionId: string, group: string, init: Init): [address: string, init: RequestInit] {
  const address = `${base}/subscriptions`;
  if (!group.includes(",")) return [`${address}?group=${encodeURIComponent(group)}&connectionId=${encodeURIComponent(connectionId)}`, init];
  const headers = { ...init.headers, "content-type": "application/json" };
  return [address, { ...init, headers, body: JSON.stringify({ group, connectionId }) }];
}
