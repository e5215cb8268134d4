/** The view's settings in the page's address (`#q=…&sort=-age`), so that a view can be shared as a link. Pure. */
import { canBeFollowed } from "../core/following";
import { FRESHNESSES } from "../core/freshness";
import { DEFAULT_SORT, type Query, type Show, type SortKey } from "../core/order";

/** The settings that are kept in the address. A setting that is not there has its default. */
export interface View {
  readonly query: Query;
  readonly measurement: string | null;
  /** The ids of the sources in the chart; `null` while nobody has chosen any. */
  readonly selected: readonly string[] | null;
  /** The areas that are followed; all when empty. */
  readonly areas: readonly string[];
  /** The source in the drawer; `null` while it is closed. */
  readonly device: string | null;
}

/** Each is a group to join, and a part of every question to the store. */
const MOST_FOLLOWED = 200;

export function readView(hash: string): View {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const selected = fields.getAll("in");
  return {
    query: {
      text: fields.get("q") ?? "",
      show: SHOWS.find((show) => show === fields.get("show")) ?? "all",
      sort: readSort(fields.get("sort") ?? ""),
    },
    measurement: fields.get("of"),
    selected: selected.length > 0 ? selected : null,
    areas: [...new Set(fields.getAll("area").filter(canBeFollowed))].slice(0, MOST_FOLLOWED),
    device: fields.get("device") || null,
  };
}

export function writeView({ query, measurement, selected, areas, device }: View): string {
  const fields = new URLSearchParams();
  for (const area of areas) fields.append("area", area);
  if (query.text !== "") fields.set("q", query.text);
  if (query.show !== "all") fields.set("show", query.show);
  const { key, direction } = query.sort;
  if (key !== DEFAULT_SORT.key || direction !== DEFAULT_SORT.direction) fields.set("sort", direction === "descending" ? `-${key}` : key);
  if (measurement !== null) fields.set("of", measurement);
  for (const id of selected ?? []) fields.append("in", id);
  if (device !== null) fields.set("device", device);
  const text = fields.toString();
  return text === "" ? "" : `#${text}`;
}

const SHOWS: readonly Show[] = [...FRESHNESSES, "steady"];

const SORT_KEYS: readonly SortKey[] = ["device", "state", "area", "count", "age", "steady"];

function readSort(text: string): Query["sort"] {
  const direction = text.startsWith("-") ? "descending" : "ascending";
  const name = text.replace(/^-/, "");
  const key = name.startsWith("value:") ? (name as SortKey) : SORT_KEYS.find((known) => known === name);
  return key === undefined ? DEFAULT_SORT : { key, direction };
}
