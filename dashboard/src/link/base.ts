/** The address of the service. Pure. */

/**
 * The address that `negotiate` and `getdevicestate` are under: `?api=…` if given, otherwise the page's `fieldcast-api` meta
 * element, otherwise `/api` of the page's own origin. An origin without a path means its `/api`. `null` for an address that
 * is not http or https.
 */
export function apiBase(page: URL, meta: string | null): string | null {
  const wanted = page.searchParams.get("api")?.trim() || meta?.trim() || "/api";
  const url = parse(wanted, page);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}${path === "" ? "/api" : path}`;
}

function parse(wanted: string, page: URL): URL | null {
  try {
    return new URL(wanted, page.origin);
  } catch {
    return null;
  }
}
