/** Tells the service which groups' messages a connection wants. */
import { readErrorCode, readSettlingTime } from "../core/wire";
import { LinkError } from "./cause";

export interface SubscriptionSource {
  readonly fetch: typeof fetch;
  /** Address under which `subscriptions` is, without a slash at the end. */
  readonly base: string;
}

/**
 * Joins the groups; resolves when the service has confirmed every one. Gives the milliseconds after which every process of
 * the service sends to them; `null` from a service without subscriptions, which sends everything to everybody.
 */
export async function joinGroups(source: SubscriptionSource, connectionId: string, groups: readonly string[], signal: AbortSignal): Promise<number | null> {
  const times = await Promise.all(groups.map((group) => joinGroup(source, connectionId, group, signal)));
  return times.reduce<number | null>((longest, time) => (longest === null || time === null ? null : Math.max(longest, time)), 0);
}

/** Spares the service some messages. If this fails, they keep coming and are ignored. */
export async function leaveGroups(source: SubscriptionSource, connectionId: string, groups: readonly string[]): Promise<void> {
  await Promise.allSettled(groups.map((group) => source.fetch(address(source, connectionId, group), { method: "DELETE" })));
}

async function joinGroup(source: SubscriptionSource, connectionId: string, group: string, signal: AbortSignal): Promise<number | null> {
  const response = await source.fetch(address(source, connectionId, group), { method: "PUT", signal, headers: { accept: "application/json" } });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.status === 404 && readErrorCode(body) !== "unknown_connection") return null;
  if (!response.ok) throw new LinkError({ kind: "status", step: "subscribe", status: response.status });
  const seconds = readSettlingTime(body);
  if (seconds === null) throw new LinkError({ kind: "unreadable", step: "subscribe" });
  return seconds * 1000;
}

function address({ base }: SubscriptionSource, connectionId: string, group: string): string {
  return `${base}/subscriptions/${encodeURIComponent(group)}?connectionId=${encodeURIComponent(connectionId)}`;
}
