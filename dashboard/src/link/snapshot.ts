/** Loads the states of all devices that are followed, or of those that have changed, over HTTP, page by page. */
import type { ClockSample } from "../core/clock";
import type { Following } from "../core/following";
import { readErrorCode, readSnapshotPage, type Device, type Measurement, type SnapshotPage } from "../core/wire";
import { LinkError } from "./cause";
import { statusCause } from "./retry-after";

/** All pages of a reply together. */
export interface Snapshot {
  readonly devices: readonly Device[];
  readonly measurements: readonly Measurement[];
  readonly malformed: number;
  /** Devices that have changed and are not, or no longer, followed. */
  readonly elsewhere: readonly Device[];
  /** Whether these are all devices that are followed, or only those that have changed. */
  readonly full: boolean;
  /** For asking later what has changed since; `null` from a service that only knows full snapshots. */
  readonly cursor: string | null;
  /** What the first page said about the service's clock; `null` where the browser hides the header (CORS). */
  readonly clock: ClockSample | null;
}

export interface SnapshotSource {
  readonly fetch: typeof fetch;
  /** Address under which `getdevicestate` is, without a slash at the end. */
  readonly base: string;
  now(): number;
  /** Resolves after about this many milliseconds. */
  wait(milliseconds: number): Promise<void>;
}

/** Is told when a part has come, and how long the next question waits because the service asked for that. */
export type Progress = (wait: number) => void;

/** What to ask for. */
export interface Wanted {
  readonly following: Following;
  /** The cursor of an earlier reply to the same question, or `null` for everything. */
  readonly since: string | null;
}

/** A service that sends more pages than this, or repeats a continuation, would never come to an end. */
const MOST_PAGES = 10_000;
/** How often a page is asked for again because the service wanted a rest; then what was loaded is given up. */
const MOST_WAITS = 20;
/** A longer rest is not waited for: live messages are held back meanwhile. */
const LONGEST_WAIT = 30_000;

/**
 * A page may hold few devices or none, and a continuation all the same: the service has searched a part of the store.
 *
 * Gives `null` when the service does not accept the cursor, or has no cursors at all: it would then answer with everything,
 * for which live messages would have had to be held back.
 */
export async function loadSnapshot(source: SnapshotSource, wanted: Wanted, signal: AbortSignal, progress: Progress = () => undefined): Promise<Snapshot | null> {
  const { since } = wanted;
  const pages: SnapshotPage[] = [];
  const asked = new Set<string>();
  const patience = { waits: MOST_WAITS };
  let clock: ClockSample | null = null;
  let continuation: string | null = null;
  while (pages.length < MOST_PAGES) {
    const question: Query = { ...wanted, continuation };
    const reply: Reply | null = await (continuation === null ? loadPage(source, question, signal) : loadPatiently(source, question, signal, { patience, progress }));
    if (reply === null || (since !== null && reply.page.cursor === null)) return null;
    clock ??= reply.clock;
    pages.push(reply.page);
    continuation = reply.page.continuation;
    if (continuation === null) return { ...joined(pages), full: since === null, clock };
    if (asked.has(continuation)) break;
    asked.add(continuation);
    progress(0);
  }
  throw new LinkError({ kind: "unreadable", step: "snapshot" });
}

/** Asks for a further page again when the service wants a moment of rest, so that those before were not loaded in vain. */
async function loadPatiently(
  source: SnapshotSource, query: Query, signal: AbortSignal,
  { patience, progress }: { readonly patience: { waits: number }; readonly progress: Progress },
): Promise<Reply | null> {
  for (;;) {
    try {
      return await loadPage(source, query, signal);
    } catch (error) {
      const wait = error instanceof LinkError && error.reason.kind === "status" ? (error.reason.retryAfter ?? 0) : 0;
      if (wait === 0 || wait > LONGEST_WAIT || patience.waits === 0) throw error;
      patience.waits -= 1;
      progress(wait);
      await source.wait(wait);
    }
  }
}

interface Reply {
  readonly page: SnapshotPage;
  readonly clock: ClockSample | null;
}

interface Query extends Wanted {
  readonly continuation: string | null;
}

async function loadPage(source: SnapshotSource, query: Query, signal: AbortSignal): Promise<Reply | null> {
  const url = `${source.base}/getdevicestate${written(query)}`;
  const sent = source.now();
  const response = await source.fetch(url, { signal, cache: "no-store", headers: { accept: "application/json" } });
  const received = source.now();
  const body: unknown = await response.json().catch(() => undefined);
  if (query.since !== null && response.status === 400 && readErrorCode(body) === "bad_cursor") return null;
  if (!response.ok) throw new LinkError(statusCause("snapshot", response, received));
  const page = readSnapshotPage(body);
  if (page === null) throw new LinkError({ kind: "unreadable", step: "snapshot" });
  const date = response.headers.get("date");
  return { page, clock: date === null ? null : { date, sent, received } };
}

function written({ following, since, continuation }: Query): string {
  const parts = [
    ...following.areas.map((area) => `geo=${nameWritten(area)}`),
    ...following.devices.map((id) => `deviceId=${nameWritten(id)}`),
    ...(since === null ? [] : [`since=${encodeURIComponent(since)}`]),
    ...(continuation === null ? [] : [`continuation=${encodeURIComponent(continuation)}`]),
  ];
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** The Functions host joins the values of a repeated parameter with commas, so a comma in a name is escaped twice. */
function nameWritten(name: string): string {
  return encodeURIComponent(name.replaceAll(",", "%2C"));
}

function joined(pages: readonly SnapshotPage[]): Omit<Snapshot, "full" | "clock"> {
  return {
    devices: pages.flatMap((page) => page.devices),
    measurements: pages.find((page) => page.measurements.length > 0)?.measurements ?? [],
    elsewhere: pages.flatMap((page) => page.elsewhere),
    malformed: pages.reduce((sum, page) => sum + page.malformed, 0),
    cursor: pages[0]?.cursor ?? null,
  };
}
