/** The address of the service. Pure. */

/** Where the API is. */
export interface ApiAddress {
  /** The address that `negotiate` and `getdevicestate` are under; `null` when it is not http or https. */
  readonly base: string | null;
  /** What the page's address asked for and did not get; `null` when it got it. */
  readonly ignored: string | null;
}

/**
 * What the page's address says (`?api=…`), otherwise the page's `fieldcast-api` meta element, otherwise `/api` of the page's
 * own origin. An origin without a path means its `/api`.
 *
 * A link must not fill the page with somebody else's data. So the page's address may only name its own origin, and this
 * machine, for development; another one is ignored.
 */
export function apiAddress(page: URL, meta: string | null): ApiAddress {
  const asked = page.searchParams.get("api")?.trim() || null;
  const published = read(meta?.trim() || "/api", page);
  if (asked === null) return { base: baseOf(published), ignored: null };
  const url = read(asked, page);
  if (url !== null && (url.origin === page.origin || isLoopback(url))) return { base: baseOf(url), ignored: null };
  return { base: baseOf(published), ignored: asked };
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function baseOf(url: URL | null): string | null {
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${path === "" ? "/api" : path}`;
}

function read(wanted: string, page: URL): URL | null {
  try {
    return new URL(wanted, page.origin);
  } catch {
    return null;
  }
}
