/** The page: a replica of the store, painted at most once per animation frame. */
import { Replica, type ClockRange, type Fleet, type Following, type Ports } from "./convergence";
import { Areas } from "./core/areas";
import { clockOffset } from "./core/clock";
import { columnsOf, type Column } from "./core/columns";
import { census, type Census } from "./core/freshness";
import { History } from "./core/history";
import type { Query, SortKey } from "./core/order";
import { Rate } from "./core/rate";
import { firstOf, NOTHING_SELECTED, selectionOf, toggle, type Selection } from "./core/selection";
import { readView, writeView } from "./view/address";
import { Announcer } from "./view/announcer";
import { AreaControl } from "./view/areas";
import { Arrangement } from "./view/arrangement";
import { Attention } from "./view/attention";
import { Chart } from "./view/chart";
import { Controls } from "./view/controls";
import { byId, setText } from "./view/dom";
import { Drawer } from "./view/drawer";
import type { Frame } from "./view/frame";
import { Header } from "./view/header";
import { DeviceTable } from "./view/table";
import { ThemeSwitch } from "./view/theme";
import { describeLink, remarksOf, type ApiAccess } from "./view/link-words";

/** How often the page is painted when nothing else happens, for ages and countdowns. */
const TICK = 1_000;

/** The page as it was when it was paused. */
interface Pause {
  readonly fleet: Fleet;
  readonly now: number;
  /** How many device states have arrived since. */
  waiting: number;
}

export class App {
  private readonly history = new History();
  private readonly rate = new Rate(Date.now());
  private readonly arrangement = new Arrangement();
  private readonly attention = new Attention();
  private readonly areas = new Areas();
  private readonly replica: Replica;
  private readonly views: readonly { paint(frame: Frame): void }[];
  private readonly chart: Chart;
  private readonly drawer: Drawer;
  private readonly table: DeviceTable;
  private readonly theme: ThemeSwitch;
  private readonly since = Date.now();
  private counted = 0;
  private pause: Pause | null = null;
  private scheduled = false;
  private columns: Pick<Fleet, "traits" | "measurements"> & { readonly list: readonly Column[] } | null = null;
  private censused: { readonly slots: Fleet["slots"]; readonly at: number; readonly census: Census } | null = null;
  private query: Query;
  private measurement: string | null;
  private selection: Selection;
  private chosen: boolean;
  /** The device in the drawer. */
  private opened: string | null;
  private span = 300_000;
  /** What is followed according to the page's address. */
  private written: Following;

  constructor(ports: Ports, private readonly access: () => ApiAccess) {
    const view = readView(location.hash);
    this.query = view.query;
    this.measurement = view.measurement;
    this.opened = view.device;
    this.chosen = view.selected !== null;
    this.selection = view.selected === null ? NOTHING_SELECTED : selectionOf(view.selected);
    for (const area of view.areas) this.areas.add(area);
    this.written = { areas: view.areas, devices: [] };
    const watcher = { onChange: () => this.invalidate(), onStep: (fleet: Fleet) => this.onStep(fleet) };
    this.replica = new Replica(ports, watcher, this.written);
    const repaint = (): void => this.invalidate();
    this.chart = new Chart({ toggle: (id) => this.toggle(id), repaint });
    this.drawer = new Drawer(ports, { close: () => this.closeDrawer(), repaint });
    this.table = new DeviceTable({ sort: (key) => this.sortBy(key), toggle: (id) => this.toggle(id), open: (id) => this.open(id), repaint });
    this.theme = new ThemeSwitch(() => this.redraw());
    const areas = new AreaControl((chosen) => this.follow(chosen));
    this.views = [new Header(), areas, this.makeControls(), this.table, this.chart, this.drawer, new Announcer()];
    this.favour();
    this.listen();
  }

  start(): void {
    setInterval(() => this.tick(), TICK);
    this.replica.start();
    this.invalidate();
  }

  private makeControls(): Controls {
    return new Controls({
      measure: (name) => this.set(() => (this.measurement = name)),
      span: (milliseconds) => this.set(() => (this.span = milliseconds)),
      filter: (text) => this.set(() => (this.query = { ...this.query, text })),
      show: (show) => this.set(() => (this.query = { ...this.query, show })),
      everywhere: () => this.follow([]),
    });
  }

  private listen(): void {
    byId("pause", HTMLButtonElement).addEventListener("click", () => this.togglePause());
    byId("notice-retry", HTMLButtonElement).addEventListener("click", () => this.replica.retryNow());
    // The network is back, or somebody looks at the page again: do not wait for the next try.
    window.addEventListener("online", () => this.replica.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.replica.retryNow();
    });
  }

  private onStep(fleet: Fleet): void {
    for (const slot of fleet.touched) {
      const row = fleet.rows[slot];
      if (row !== undefined) this.history.record(row.device);
    }
    this.history.retain(fleet.slots);
    this.areas.note(fleet);
    const applied = fleet.tally.applied - this.counted;
    this.counted = fleet.tally.applied;
    this.rate.add(applied, Date.now());
    // The tally does not count what snapshots and catch-ups bring.
    if (this.pause !== null) this.pause.waiting += Math.max(applied, fleet.touched.length);
  }

  private tick(): void {
    // There are no animation frames in the background.
    if (document.hidden) this.replica.flush();
    this.invalidate();
  }

  private invalidate(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.replica.flush();
      this.paint();
    });
  }

  private paint(): void {
    // The service has refused something.
    if (this.replica.following !== this.written) {
      this.areas.refuse(this.replica.link.refused);
      this.writeAddress();
    }
    const frame = this.frame();
    for (const view of this.views) view.paint(frame);
    setText(byId("clock-note", HTMLSpanElement), clockNote(this.replica.clock));
  }

  private frame(): Frame {
    const { replica } = this;
    const { fleet, now } = this.pause ?? { fleet: replica.fleet, now: replica.serviceTime() };
    const held = this.pause !== null || this.attention.isOnTable;
    const link = describeLink(replica.link, this.access(), Date.now());
    const judgedAt = link.name === "live" ? now : (replica.heardAt ?? now);
    const order = this.arrangement.listed(fleet, this.query, judgedAt, held);
    const columns = this.columnsOf(fleet);
    this.selectFirst(fleet, order);
    return {
      fleet, order, now, judgedAt, link, columns,
      remarks: remarksOf(replica.link, this.access()),
      until: this.pause?.now ?? Infinity,
      census: this.census(fleet, judgedAt),
      held,
      query: this.query,
      chosen: chosenOf(columns, this.measurement),
      span: this.span,
      selection: this.selection,
      opened: this.opened,
      following: replica.following,
      areas: this.areas,
      history: this.history,
      perSecond: this.rate.perSecond(Date.now()),
      lastMessage: replica.lastMessage,
      heardAt: replica.heardAt,
      since: this.since + clockOffset(replica.clock),
      waiting: this.pause?.waiting ?? null,
      palette: this.theme.palette,
    };
  }

  private columnsOf(fleet: Fleet): readonly Column[] {
    const { traits, measurements } = fleet;
    if (this.columns?.traits !== traits || this.columns.measurements !== measurements) {
      this.columns = { traits, measurements, list: columnsOf(fleet) };
    }
    return this.columns.list;
  }

  /** Updated twice a second: counting ten thousand devices takes a moment, and nobody reads faster. */
  private census(fleet: Fleet, now: number): Census {
    if (this.censused?.slots !== fleet.slots || Math.abs(now - this.censused.at) >= TICK / 2) {
      this.censused = { slots: fleet.slots, at: now, census: census(fleet.rows, now) };
    }
    return this.censused.census;
  }

  /** Until somebody chooses, the first devices of the list that have values are in the chart. */
  private selectFirst({ rows, slots }: Fleet, order: readonly string[]): void {
    if (this.chosen || order.length === 0) return;
    const first = firstOf(order.slice(0, 100), (id) => Object.keys(rows[slots.get(id) ?? -1]?.device.values ?? {}).length > 0);
    const size = (selection: Selection): number => selection.filter((id) => id !== null).length;
    if (size(first) <= size(this.selection)) return;
    this.selection = first;
    this.favour();
  }

  /** Devices in the chart and in the drawer keep a longer history. */
  private favour(): void {
    this.history.favour([...this.selection, this.opened].filter((id) => id !== null));
  }

  private toggle(id: string): void {
    this.chosen = true;
    this.set(() => (this.selection = toggle(this.selection, id)));
  }

  private sortBy(key: SortKey): void {
    const { sort } = this.query;
    const direction = sort.key === key && sort.direction === "ascending" ? "descending" : "ascending";
    this.set(() => (this.query = { ...this.query, sort: { key, direction } }));
  }

  private togglePause(): void {
    const { replica } = this;
    this.set(() => (this.pause = this.pause === null ? { fleet: replica.fleet, now: replica.serviceTime(), waiting: 0 } : null));
  }

  private open(id: string): void {
    this.set(() => (this.opened = id));
  }

  /** The focus goes back to the device's row. */
  private closeDrawer(): void {
    const { opened } = this;
    this.set(() => (this.opened = null));
    // Painted at once, because a modal dialog that is still open would keep the focus.
    this.paint();
    if (opened !== null) this.table.focus(opened);
  }

  /** Follows these areas, or all when there are none. Ends a pause, because other devices are to be seen. */
  private follow(areas: readonly string[]): void {
    this.set(() => {
      this.pause = null;
      this.replica.follow({ areas, devices: [] });
    });
  }

  private set(change: () => void): void {
    change();
    this.favour();
    this.writeAddress();
    this.redraw();
  }

  private writeAddress(): void {
    this.written = this.replica.following;
    const selected = this.chosen ? this.selection.filter((id) => id !== null) : null;
    const hash = writeView({
      query: this.query, measurement: this.measurement, selected, areas: this.written.areas, device: this.opened,
    });
    history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
  }

  private redraw(): void {
    this.chart.refresh();
    this.drawer.refresh();
    this.invalidate();
  }
}

/** The measurement that is chosen, if it has numbers, or else the first that has. */
function chosenOf(columns: readonly Column[], measurement: string | null): Column | null {
  const numbers = columns.filter(({ kind }) => kind === "number");
  return numbers.find(({ name }) => name === measurement) ?? numbers[0] ?? null;
}

/** A smaller difference of the clocks is not mentioned. */
const VISIBLE_OFFSET = 2_000;

function clockNote(clock: ClockRange | null): string {
  const offset = clockOffset(clock);
  if (Math.abs(offset) < VISIBLE_OFFSET) return "";
  const seconds = Math.round(Math.abs(offset) / 1000);
  return `This machine's clock is ${seconds} s ${offset > 0 ? "behind" : "ahead of"} the service's; ages allow for it`;
}
