/** Runs the connection's state machine: performs its effects on a connection, a loader and a timer that it is given. */
import type { Following } from "../core/following";
import { LinkError, type Cause, type Step } from "./cause";
import { IDLE, step, type Answer, type Effect, type LinkEvent, type LinkState, type Session } from "./machine";
import type { Snapshot, Wanted } from "./snapshot";

/** What is used of a SignalR connection. */
export interface Connection {
  /** Rejects with a `LinkError`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What the service calls it; `null` while it is not connected. */
  readonly connectionId: string | null;
  onMessage(handler: (argument: unknown) => void): void;
  onClose(handler: () => void): void;
}

/** The world around the link. */
export interface Ports {
  /** A new connection, not yet started. */
  connect(): Connection;
  /** Gives the milliseconds until the groups have settled; `null` where there are no groups, and all is sent to all. */
  join(connectionId: string, groups: readonly string[], signal: AbortSignal): Promise<number | null>;
  leave(connectionId: string, groups: readonly string[]): Promise<void>;
  /** Everything, or what changed since the cursor; `null` when the service refuses that. */
  load(wanted: Wanted, signal: AbortSignal): Promise<Snapshot | null>;
  readonly time: Time;
}

/** Clock, timer and dice. */
export interface Time {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls once after so many milliseconds; gives what calls it off. */
  after(milliseconds: number, run: () => void): () => void;
  /** 0..1 */
  chance(): number;
}

/** Who is told what happens, in the order in which it happens. */
export interface Listener {
  changed(state: LinkState): void;
  /** From now on live messages must be held back. */
  buffer(): void;
  message(argument: unknown): void;
  /** Applies the answer and tells how it compares with what was there. */
  loaded(snapshot: Snapshot): Pick<Answer, "news" | "contradicted">;
  release(): void;
}

export class Link {
  private current: LinkState;
  private connection: Connection | null = null;
  /** Groups are being left: one of them may be joined again only when that is over. */
  private leaving: Promise<void> = Promise.resolve();
  /** What is being asked of the service. */
  private asking: AbortController | null = null;
  private calledOff: () => void = () => undefined;

  constructor(
    private readonly ports: Ports,
    private readonly listener: Listener,
    following: Following,
  ) {
    this.current = { ...IDLE, following };
  }

  get state(): LinkState {
    return this.current;
  }

  start(): void {
    this.dispatch({ kind: "start" });
  }

  /** Ends the connection and whatever is under way. */
  stop(): void {
    this.dispatch({ kind: "stop" });
  }

  follow(following: Following): void {
    this.dispatch({ kind: "follow", following });
  }

  retryNow(): void {
    this.dispatch({ kind: "retryNow" });
  }

  reload(): void {
    this.dispatch({ kind: "reload" });
  }

  private dispatch(event: LinkEvent): void {
    const { time } = this.ports;
    const [next, effects] = step(this.current, event, { now: time.now(), chance: time.chance() });
    const changed = next !== this.current;
    this.current = next;
    for (const effect of effects) this.perform(effect);
    if (changed) this.listener.changed(this.current);
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case "open":
        return this.open(effect.session);
      case "join":
        return this.join(effect.session, effect.groups);
      case "leave":
        return this.leave(effect.groups);
      case "load":
        return this.load(effect.session, effect);
      case "release":
        this.asking?.abort();
        return this.listener.release();
      case "close":
        return this.close();
      case "wake":
        this.calledOff();
        this.calledOff = this.ports.time.after(effect.after, () => this.dispatch({ kind: "woke" }));
        return;
      case "sleep":
        return this.calledOff();
    }
  }

  private open(session: Session): void {
    this.listener.buffer();
    const connection = this.ports.connect();
    this.connection = connection;
    this.leaving = Promise.resolve();
    connection.onMessage((argument) => {
      if (this.connection !== connection) return;
      this.listener.message(argument);
      this.dispatch({ kind: "heard", session });
    });
    connection.onClose(() => this.dispatch({ kind: "lost", session, cause: { kind: "closed" } }));
    connection.start().then(
      () => this.dispatch({ kind: "opened", session }),
      (error: unknown) => this.dispatch({ kind: "lost", session, cause: causeOf(error, "push") }),
    );
  }

  private join(session: Session, groups: readonly string[]): void {
    const { signal } = this.ask();
    const id = this.connection?.connectionId ?? null;
    // An end that nobody has told of yet.
    if (id === null) return this.dispatch({ kind: "lost", session, cause: { kind: "closed" } });
    const joining = this.leaving.then(() => this.ports.join(id, groups, signal));
    joining.then(
      (settlesAfter) => {
        if (!signal.aborted) this.dispatch({ kind: "joined", session, settlesAfter });
      },
      (error: unknown) => {
        if (!signal.aborted) this.dispatch({ kind: "lost", session, cause: causeOf(error, "subscribe") });
      },
    );
  }

  private leave(groups: readonly string[]): void {
    const id = this.connection?.connectionId ?? null;
    if (id === null) return;
    this.leaving = this.leaving.then(() => this.ports.leave(id, groups)).catch(() => undefined);
  }

  private load(session: Session, wanted: Wanted): void {
    // A catch-up is applied by version and needs nobody to wait for it.
    if (wanted.since === null) this.listener.buffer();
    const { signal } = this.ask();
    this.ports.load(wanted, signal).then(
      (snapshot) => {
        if (signal.aborted) return;
        this.dispatch(snapshot === null ? { kind: "refused", session } : { kind: "loaded", session, answer: this.answer(snapshot) });
      },
      (error: unknown) => {
        if (!signal.aborted) this.dispatch({ kind: "loadFailed", session, cause: causeOf(error, "snapshot") });
      },
    );
  }

  /** What was asked before is of no use any more. */
  private ask(): AbortController {
    this.asking?.abort();
    return (this.asking = new AbortController());
  }

  private answer(snapshot: Snapshot): Answer {
    return { full: snapshot.full, cursor: snapshot.cursor, ...this.listener.loaded(snapshot) };
  }

  private close(): void {
    const { connection } = this;
    this.connection = null;
    this.asking?.abort();
    // The connection is given up; how its end goes is of no interest.
    connection?.stop().catch(() => undefined);
  }
}

function causeOf(error: unknown, step: Step): Cause {
  return error instanceof LinkError ? error.reason : { kind: "unreachable", step };
}
