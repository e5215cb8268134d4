/** A small service for the simulation's screens, in virtual time, in which much goes wrong until it is calm. */
import { dice } from "../../local/simulation/screens-engine/dice.mjs";
import type { Following } from "../src/convergence";

/** A JSON object. */
export type Json = { readonly [name: string]: unknown };
export type Protection = "ScreenVersion" | "CatchUp" | "Elsewhere";

interface Answer {
  readonly requests: readonly { readonly do: string; readonly screen: number; readonly connection: number; readonly request: number; readonly method: string; readonly path: string }[];
  readonly wakeAt: number | null;
  readonly screens?: readonly { readonly screen: number; readonly status: string; readonly loaded: number | null }[];
  readonly violations?: readonly Json[];
  readonly shown?: { readonly devices: readonly Json[] } & Json;
  readonly error?: string;
}

interface State {
  readonly deviceId: string;
  readonly geo: string;
  readonly count: number;
  readonly version: number;
  readonly temperature: number;
  readonly reportedAt: string;
  readonly changedAt: null;
}

/** Anything that answers command lines. */
export interface Screens {
  answer(line: string): Promise<string>;
}

const AREAS = ["north", "south", "west"];
/** What the screens follow at first; the last one changes its mind. */
const FOLLOWINGS: readonly Following[] = [
  { areas: [], devices: [] },
  { areas: ["north"], devices: [] },
  { areas: ["south"], devices: ["device-1"] },
];
const DEVICES = 8;
const WRITES = 40;
/** By then every screen has asked the store. */
const CALM_LASTS = 420_000;

export class World {
  /** All commands and answers, for a second time. */
  readonly transcript: { readonly line: string; readonly answer: string }[] = [];
  readonly violations: Json[] = [];
  readonly loaded: (number | null)[] = [];
  readonly status: string[] = [];
  private now = Date.UTC(2026, 10, 21);
  private turns: { readonly at: number; readonly run: () => unknown }[] = [];
  private wakeAt: number | null = null;
  private readonly chance: () => number;
  private readonly states = new Map<string, State>();
  private readonly followings = [...FOLLOWINGS];
  private readonly changes: string[] = [];
  private readonly groups = new Map<number, Set<string>>();
  private raging = true;
  private committedAt = 0;

  constructor(private readonly screens: Screens, readonly seed: number, private readonly without: Protection | null = null) {
    this.chance = dice(seed);
  }

  /** Forty writes in a storm, and then calm until every screen has asked. */
  async run(): Promise<void> {
    const screens = FOLLOWINGS.map((following, number) => ({ following, seed: this.seed * 8 + number, without: this.without, attentive: number !== 2 }));
    await this.send({ do: "begin", screens });
    screens.forEach((_, screen) => this.after(this.between(0, 2_000), () => this.send({ do: "start", screen })));
    for (let write = 0; write < WRITES; write += 1) {
      this.write();
      await this.interfere();
      await this.pass(this.between(0, 4_000));
    }
    this.raging = false;
    await this.pass(CALM_LASTS);
  }

  /** What a screen shows, and what it should. */
  async compare(screen: number): Promise<{ readonly shown: unknown; readonly stored: unknown }> {
    const { shown } = await this.send({ do: "show", screen });
    const followed = [...this.states.values()].filter((state) => isFollowed(state, this.followings[screen]));
    const stored = followed.map(({ temperature, ...state }) => ({ ...state, values: { temperature } }));
    return { shown: shown?.devices, stored: stored.sort((one, other) => (one.deviceId < other.deviceId ? -1 : 1)) };
  }

  /** Every screen has asked the store since the last write, and is live. */
  get isConverged(): boolean {
    return FOLLOWINGS.every((_, screen) => this.status[screen] === "live" && (this.loaded[screen] ?? 0) > this.committedAt);
  }

  private between(low: number, high: number): number {
    return low + Math.floor(this.chance() * (high - low + 1));
  }

  private misfortune(probability: number): boolean {
    return this.chance() < probability && this.raging;
  }

  private after(delay: number, run: () => unknown): void {
    this.turns.push({ at: this.now + delay, run });
  }

  private async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      this.turns.sort((one, other) => one.at - other.at);
      const [next] = this.turns;
      if (this.wakeAt !== null && this.wakeAt <= Math.min(next?.at ?? Infinity, end)) {
        this.now = Math.max(this.now, this.wakeAt);
        await this.send({ do: "advance" });
        continue;
      }
      if (next === undefined || next.at > end) break;
      this.turns.shift();
      this.now = next.at;
      await next.run();
    }
    this.now = end;
  }

  private async send(command: Json): Promise<Answer> {
    const line = JSON.stringify({ ...command, now: this.now });
    const text = await this.screens.answer(line);
    this.transcript.push({ line, answer: text });
    const answer = JSON.parse(text) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    this.wakeAt = answer.wakeAt;
    this.violations.push(...(answer.violations ?? []));
    for (const { screen, status, loaded } of answer.screens ?? []) [this.status[screen], this.loaded[screen]] = [status, loaded];
    for (const request of answer.requests) this.perform(request);
    return answer;
  }

  private perform(request: Answer["requests"][number]): void {
    const { connection } = request;
    if (request.do === "end") this.groups.delete(connection);
    if (request.do === "start" && !this.misfortune(0.05)) this.after(this.between(2, 100), () => this.connect(connection));
    if (request.do === "fetch" && !this.misfortune(0.03)) this.after(this.way(), () => this.reply(request));
  }

  private way(): number {
    return this.between(2, this.misfortune(0.2) ? 3_000 : 100);
  }

  private connect(connection: number): Promise<Answer> {
    if (this.misfortune(0.2)) return this.send({ do: "startFailed", connection, step: "negotiate", status: 503 });
    this.groups.set(connection, new Set());
    this.after(this.between(500, 40_000), () => {
      if (!this.raging || !this.groups.delete(connection)) return;
      this.after(this.between(0, 500), () => this.send({ do: "closed", connection }));
    });
    return this.send({ do: "started", connection, connectionId: `${connection}` });
  }

  /** People do something. */
  private async interfere(): Promise<void> {
    const screen = FOLLOWINGS.length - 1;
    if (this.misfortune(0.2)) {
      const following = FOLLOWINGS[this.between(0, screen)] ?? { areas: [], devices: [] };
      this.followings[screen] = following;
      await this.send({ do: "follow", screen, following });
    }
    if (this.misfortune(0.1)) await this.send({ do: "retryNow", screen: this.between(0, screen) });
    if (this.misfortune(0.05)) {
      await this.send({ do: "stop", screen });
      this.after(this.between(0, 5_000), () => this.send({ do: "start", screen }));
    }
  }

  private reply({ request, method, path }: Answer["requests"][number]): void {
    const { pathname, searchParams } = new URL(path, "http://service.test");
    const body = pathname.endsWith("/subscriptions") ? this.subscription(method, searchParams.get("group") ?? "", searchParams) : this.snapshot(searchParams);
    const status = this.misfortune(0.1) ? 503 : "code" in body ? 404 : 200;
    this.after(this.way(), () => this.send(this.misfortune(0.05) ? { do: "fetchFailed", request } : { do: "fetched", request, status, body: JSON.stringify(body) }));
  }

  private subscription(method: string, group: string, query: URLSearchParams): Json {
    const groups = this.groups.get(Number(query.get("connectionId")));
    if (groups === undefined) return { code: "unknown_connection" };
    if (method === "PUT") groups.add(group);
    else groups.delete(group);
    return { group, settlesAfterSeconds: 10 };
  }

  private snapshot(query: URLSearchParams): Json {
    const since = query.get("since");
    const wanted = { areas: query.getAll("geo"), devices: query.getAll("deviceId") };
    const changed = [...new Set(this.changes.slice(Number(since ?? 0)))].flatMap((id) => this.states.get(id) ?? []);
    const others = changed.filter((state) => !isFollowed(state, wanted)).map(({ deviceId, geo, version }) => ({ deviceId, geo, version }));
    return {
      devices: changed.filter((state) => isFollowed(state, wanted)),
      measurements: [],
      cursor: `${this.changes.length}`,
      ...(since === null ? {} : { elsewhere: others }),
    };
  }

  /** A batch is committed, then each connection gets what concerns it: perhaps never, twice, or late. */
  private write(): void {
    const changes = Array.from({ length: this.between(1, 3) }, () => this.change(`device-${this.between(0, DEVICES - 1)}`));
    this.committedAt = this.now;
    for (const [connection, groups] of this.groups) {
      const states = changes.filter((change) => change.groups.some((group) => groups.has(group))).map(({ state }) => state);
      if (states.length === 0 || this.misfortune(0.15)) continue;
      for (let copies = this.misfortune(0.1) ? 2 : 1; copies > 0; copies -= 1) {
        this.after(this.between(1, this.misfortune(0.3) ? 8_000 : 60), () => this.send({ do: "message", connection, target: "newMessage", arguments: [states] }));
      }
    }
  }

  private change(deviceId: string): { readonly state: State; readonly groups: readonly string[] } {
    const before = this.states.get(deviceId);
    const moves = before === undefined || this.chance() < 0.3;
    const geo = moves ? (AREAS[this.between(0, AREAS.length - 1)] ?? "") : before.geo;
    const count = (before?.count ?? 0) + 1;
    const state = { deviceId, geo, count, version: count, temperature: count / 2, reportedAt: new Date(this.now).toISOString(), changedAt: null };
    this.states.set(deviceId, state);
    this.changes.push(deviceId);
    return { state, groups: ["all", `device:${deviceId}`, `geo:${geo}`, `geo:${before?.geo}`] };
  }
}

function isFollowed({ deviceId, geo }: State, { areas, devices }: Following = { areas: [], devices: [] }): boolean {
  return areas.length + devices.length === 0 || areas.includes(geo) || devices.includes(deviceId);
}
