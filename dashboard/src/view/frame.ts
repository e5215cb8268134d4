/** Everything that is needed to paint the page once. Views read it, draw, and remember only what they drew last. */
import type { Areas } from "../core/areas";
import type { Column } from "../core/columns";
import type { Fleet } from "../core/fleet";
import type { Following } from "../core/following";
import type { Census } from "../core/freshness";
import type { History } from "../core/history";
import type { Query } from "../core/order";
import type { Selection } from "../core/selection";
import type { LinkWords } from "./link-words";

export interface Frame {
  readonly fleet: Fleet;
  readonly columns: readonly Column[];
  readonly census: Census;
  /** Ids of the listed sources. */
  readonly order: readonly string[];
  /** The order is kept as it is, because somebody reads the table. */
  readonly held: boolean;
  readonly query: Query;
  /** The measurement of the chart and the sparklines; always one with numbers. */
  readonly chosen: Column | null;
  /** Milliseconds of history in the chart. */
  readonly span: number;
  readonly selection: Selection;
  /** The source in the drawer; `null` while it is closed. */
  readonly opened: string | null;
  readonly following: Following;
  /** Areas that can be followed. */
  readonly areas: Pick<Areas, "offered" | "areMore">;
  readonly history: History;
  readonly link: LinkWords;
  /** What somebody asked for and did not get, in sentences. */
  readonly remarks: readonly string[];
  readonly perSecond: number;
  /** When the last live message arrived, by the service's clock, as all times here. */
  readonly lastMessage: number | null;
  /** When the last message or store answer arrived. */
  readonly heardAt: number | null;
  /** When the page was opened. */
  readonly since: number;
  readonly now: number;
  /** Samples after this are not drawn: they came in while the page was paused. */
  readonly until: number;
  /** The time for which devices are judged late or not: now, or without a link, when the page last heard of the service. */
  readonly judgedAt: number;
  /** How many device states have arrived since the page was paused; `null` while it is not paused. */
  readonly waiting: number | null;
  /** A new object when the page's colours change; canvases are then drawn again. */
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
