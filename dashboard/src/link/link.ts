/** Runs the connection's state machine: performs its effects on a connection, a loader and a timer that it is given. */
import { LinkError, type Cause, type Step } from "./cause";
import { IDLE, step, type Answer, type Effect, type LinkEvent, type LinkState, type Session } from "./machine";
import type { Snapshot } from "./snapshot";

/** What is used of a SignalR connection. */
export interface Connection {
  /** Rejects with a `LinkError`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  onMessage(handler: (argument: unknown) => void): void;
  onClose(handler: () => void): void;
}

/** The world around the link. */
export interface Ports {
  /** A new connection, not yet started. */
  connect(): Connection;
  /** Everything, or what changed since the cursor; `null` when the service refuses that. */
  load(since: string | null, signal: AbortSignal): Promise<Snapshot | null>;
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
  private current: LinkState = IDLE;
  private connection: Connection | null = null;
  private loading: AbortController | null = null;
  private calledOff: () => void = () => undefined;

  constructor(
    private readonly ports: Ports,
    private readonly listener: Listener,
  ) {}

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
      case "load":
        return this.load(effect.session, effect.since);
      case "release":
        this.loading?.abort();
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

  private load(session: Session, since: string | null): void {
    // A catch-up is applied by version and needs nobody to wait for it.
    if (since === null) this.listener.buffer();
    this.loading?.abort();
    const loading = new AbortController();
    this.loading = loading;
    this.ports.load(since, loading.signal).then(
      (snapshot) => {
        if (loading.signal.aborted) return;
        this.dispatch(snapshot === null ? { kind: "refused", session } : { kind: "loaded", session, answer: this.answer(snapshot) });
      },
      (error: unknown) => {
        if (!loading.signal.aborted) this.dispatch({ kind: "loadFailed", session, cause: causeOf(error, "snapshot") });
      },
    );
  }

  private answer(snapshot: Snapshot): Answer {
    return { full: snapshot.full, cursor: snapshot.cursor, ...this.listener.loaded(snapshot) };
  }

  private close(): void {
    const { connection } = this;
    this.connection = null;
    this.loading?.abort();
    // The connection is given up; how its end goes is of no interest.
    connection?.stop().catch(() => undefined);
  }
}

function causeOf(error: unknown, step: Step): Cause {
  return error instanceof LinkError ? error.reason : { kind: "unreachable", step };
}
