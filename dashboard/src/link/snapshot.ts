/** Loads the state of all devices over HTTP, page by page. */
import type { ClockReading } from "../core/clock";
import { readSnapshotPage, type Device, type Measurement, type SnapshotPage } from "../core/wire";
import { LinkError } from "./cause";

/** All pages together. */
export interface Snapshot {
  readonly devices: readonly Device[];
  readonly measurements: readonly Measurement[];
  readonly malformed: number;
  /** What the first reply said about the service's clock; `null` where the browser hides the header (CORS). */
  readonly clock: ClockReading | null;
}

export interface SnapshotSource {
  readonly fetch: typeof fetch;
  /** Address under which `getdevicestate` is, without a slash at the end. */
  readonly base: string;
  now(): number;
}

/** A page holds at least one device; more pages than this are a service that turns in circles. */
const MOST_PAGES = 10_000;

export async function loadSnapshot(source: SnapshotSource, signal: AbortSignal): Promise<Snapshot> {
  const pages: SnapshotPage[] = [];
  let clock: ClockReading | null = null;
  let continuation: string | null = null;
  do {
    const sent = source.now();
    const reply: Reply = await loadPage(source, continuation, signal);
    clock ??= reply.date === null ? null : { date: reply.date, sent, received: reply.received };
    pages.push(reply.page);
    if (reply.page.continuation === continuation || pages.length >= MOST_PAGES) break;
    continuation = reply.page.continuation;
  } while (continuation !== null);
  return { ...joined(pages), clock };
}

interface Reply {
  readonly page: SnapshotPage;
  readonly date: string | null;
  readonly received: number;
}

async function loadPage(source: SnapshotSource, continuation: string | null, signal: AbortSignal): Promise<Reply> {
  const query = continuation === null ? "" : `?continuation=${encodeURIComponent(continuation)}`;
  const url = `${source.base}/getdevicestate${query}`;
  const response = await source.fetch(url, { signal, cache: "no-store", headers: { accept: "application/json" } });
  const received = source.now();
  if (!response.ok) throw new LinkError({ kind: "status", step: "snapshot", status: response.status });
  const body: unknown = await response.json().catch(() => undefined);
  const page = readSnapshotPage(body);
  if (page === null) throw new LinkError({ kind: "unreadable", step: "snapshot" });
  return { page, date: response.headers.get("date"), received };
}

function joined(pages: readonly SnapshotPage[]): Omit<Snapshot, "clock"> {
  return {
    devices: pages.flatMap((page) => page.devices),
    measurements: pages.find((page) => page.measurements.length > 0)?.measurements ?? [],
    malformed: pages.reduce((sum, page) => sum + page.malformed, 0),
  };
}
