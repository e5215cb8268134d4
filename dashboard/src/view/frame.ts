/** Everything that one paint needs. Views read it and draw; they keep nothing but what they drew last. */
import type { Column } from "../core/columns";

import type { Fleet } from "../core/fleet";
import type { Following } from "../core/following";
import type { Census } from "../core/freshness";
import type { History } from "../core/history";
import type { Query } from "../core/order";
import type { Selection } from "../core/selection";
import type { LinkWords } from "./words";

export interface Frame {
  readonly fleet: Fleet;
  readonly columns: readonly Column[];
  readonly census: Census;
  /** Ids of the listed devices. */
  readonly order: readonly string[];
  /** The order is kept although it would change, because somebody reads. */
  readonly held: boolean;
  readonly query: Query;
  /** The measurement of the chart and the sparklines. */
  readonly chosen: Column | null;
  /** Milliseconds of history in the chart. */
  readonly span: number;
  readonly selection: Selection;
  /** The device in the drawer; `null` while it is closed. */
  readonly opened: string | null;
  readonly following: Following;
  /** Areas that a device was seen in, or that are followed; sorted. */
  readonly areas: readonly string[];
  readonly history: History;
  readonly link: LinkWords;
  readonly perSecond: number;
  /** By the service's clock. */
  readonly lastMessage: number | null;
  /** When the page last knew the service's state, by message or snapshot. */
  readonly heardAt: number | null;
  /** When the page was opened. */
  readonly since: number;
  readonly now: number;
  /** Samples after this are not drawn: they came in while the page was paused. */
  readonly until: number;
  /** The moment for which it is said who is late: now, or, without a link, when the page last heard of anybody. */
  readonly judgedAt: number;
  /** Device states that arrived since the page was paused; `null` when it is not. */
  readonly waiting: number | null;
  /** Changes with the colours of the page: then canvases are drawn anew. */
  readonly palette: Palette;
}

/** The colours that canvases draw with, read from the style sheet. */
export interface Palette {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly amber: string;
  readonly series: readonly string[];
  readonly font: string;
}
