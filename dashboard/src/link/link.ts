/** Runs the state machine of the connection: performs its effects on the ports that it is given. */
import type { Following } from "../core/following";
import { LinkError, RefusedGroups, type Cause, type Step } from "./cause";
import { IDLE, step, type Answer, type Effect, type LinkEvent, type LinkState, type Session } from "./machine";
import type { Progress, Snapshot, Wanted } from "./snapshot";

/** What is used of a SignalR connection. */
export interface Connection {
  /** Rejects with a `LinkError` when the connection cannot be made. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The service's name for it; `null` while it is not connected. */
  readonly connectionId: string | null;
  onMessage(handler: (argument: unknown) => void): void;
  onClose(handler: () => void): void;
}

/** What the link needs of the outside world. */
export interface LinkPorts {
  /** A new connection, not yet started. */
  connect(): Connection;
  /**
   * Gives the milliseconds until the groups have settled; `null` from a service that sends everything to everybody. Rejects
   * with `RefusedGroups` when it does not take some of the names.
   */
  join(connectionId: string, groups: readonly string[], signal: AbortSignal): Promise<number | null>;
  leave(connectionId: string, groups: readonly string[]): Promise<void>;
  /** Loads everything, or what has changed since the cursor; `null` when the service does not accept the cursor. */
  load(wanted: Wanted, signal: AbortSignal, progress: Progress): Promise<Snapshot | null>;
  readonly time: Time;
}

/** Clock, timers and random numbers. */
export interface Time {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once after this many milliseconds; returns a function that cancels it. */
  after(milliseconds: number, run: () => void): () => void;
  /** 0..1 */
  chance(): number;
}

/** Is called as things happen, in their order. */
export interface Listener {
  onChange(state: LinkState): void;
  /** Hold live messages back from now on. */
  buffer(): void;
  onMessage(argument: unknown): void;
  /** Applies the store's answer and tells how it compares with what was there. */
  onSnapshot(snapshot: Snapshot): Pick<Answer, "news" | "contradicted">;
  /** No answer will come: apply the messages that were held back. */
  release(): void;
  /** The service refuses some of what was to be followed; this is left. */
  onRefused(following: Following): void;
}

export class Link {
  private current: LinkState;
  private connection: Connection | null = null;
  /** Ends when all groups have been left: only then may one of them be joined again. */
  private leaving: Promise<void> = Promise.resolve();
  /** Aborts the request to the service that is under way. */
  private asking: AbortController | null = null;
  private cancelWake: () => void = () => undefined;

  constructor(
    private readonly ports: LinkPorts,
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
    if (changed) this.listener.onChange(this.current);
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
      case "followLess":
        return this.listener.onRefused(effect.following);
      case "release":
        this.abort();
        return this.listener.release();
      case "close":
        return this.close();
      case "wake":
        this.cancelWake();
        this.cancelWake = this.ports.time.after(effect.after, () => this.dispatch({ kind: "woke" }));
        return;
      case "sleep":
        return this.cancelWake();
    }
  }

  private open(session: Session): void {
    this.listener.buffer();
    const connection = this.ports.connect();
    this.connection = connection;
    this.leaving = Promise.resolve();
    connection.onMessage((argument) => {
      if (this.connection !== connection) return;
      this.listener.onMessage(argument);
      this.dispatch({ kind: "heard", session });
    });
    connection.onClose(() => this.dispatch({ kind: "lost", session, cause: { kind: "closed" } }));
    connection.start().then(
      () => this.dispatch({ kind: "opened", session }),
      (error: unknown) => this.dispatch({ kind: "lost", session, cause: causeOf(error, "push") }),
    );
  }

  private join(session: Session, groups: readonly string[]): void {
    const id = this.connection?.connectionId ?? null;
    // It has ended, and the close event is still to come.
    if (id === null) return this.dispatch({ kind: "lost", session, cause: { kind: "closed" } });
    this.ask(
      (signal) => this.leaving.then(() => this.ports.join(id, groups, signal)),
      (settlesAfter) => ({ kind: "joined", session, settlesAfter }),
      (error) => notJoined(session, error),
    );
  }

  private leave(groups: readonly string[]): void {
    const id = this.connection?.connectionId ?? null;
    if (id === null) return;
    this.leaving = this.leaving.then(() => this.ports.leave(id, groups)).catch(() => undefined);
  }

  private load(session: Session, wanted: Wanted): void {
    // A catch-up is applied by version, so messages need not wait for it.
    if (wanted.since === null) this.listener.buffer();
    this.ask(
      (signal) => this.ports.load(wanted, signal, (wait) => {
        if (!signal.aborted) this.dispatch({ kind: "progressed", session, wait });
      }),
      (snapshot) => (snapshot === null ? { kind: "cursorExpired", session } : { kind: "loaded", session, answer: this.answer(snapshot) }),
      (error) => ({ kind: "loadFailed", session, cause: causeOf(error, "snapshot") }),
    );
  }

  /** Asks the service, in place of what was asked before. */
  private ask<T>(question: (signal: AbortSignal) => Promise<T>, answered: (answer: T) => LinkEvent, failed: (error: unknown) => LinkEvent): void {
    this.abort();
    const asking = new AbortController();
    this.asking = asking;
    const then = <V>(event: (value: V) => LinkEvent) => (value: V): void => {
      if (this.asking !== asking) return;
      this.asking = null;
      this.dispatch(event(value));
    };
    question(asking.signal).then(then(answered), then(failed));
  }

  private abort(): void {
    this.asking?.abort();
    this.asking = null;
  }

  private answer(snapshot: Snapshot): Answer {
    return { full: snapshot.full, cursor: snapshot.cursor, ...this.listener.onSnapshot(snapshot) };
  }

  private close(): void {
    const { connection } = this;
    this.connection = null;
    this.abort();
    // The connection is given up; it does not matter whether it ends cleanly.
    connection?.stop().catch(() => undefined);
  }
}

function notJoined(session: Session, error: unknown): LinkEvent {
  if (error instanceof RefusedGroups) return { kind: "refused", session, groups: error.groups };
  return { kind: "lost", session, cause: causeOf(error, "subscribe") };
}

function causeOf(error: unknown, step: Step): Cause {
  return error instanceof LinkError ? error.reason : { kind: "unreachable", step };
}
