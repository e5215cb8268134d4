/** Runs the connection's state machine: performs its effects on a connection, a loader and a timer that it is given. */
import { LinkError, type Cause, type Step } from "./cause";
import { IDLE, step, type Effect, type LinkEvent, type LinkState, type Session } from "./machine";
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
  load(signal: AbortSignal): Promise<Snapshot>;
  now(): number;
  /** 0..1 */
  chance(): number;
}

/** Who is told what happens, in the order in which it happens. */
export interface Listener {
  changed(state: LinkState): void;
  /** From now on live messages must be held back. */
  buffer(): void;
  message(argument: unknown): void;
  snapshot(snapshot: Snapshot): void;
  release(): void;
}

export class Link {
  private current: LinkState = IDLE;
  private connection: Connection | null = null;
  private loading: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

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

  retryNow(): void {
    this.dispatch({ kind: "retryNow" });
  }

  reload(): void {
    this.dispatch({ kind: "reload" });
  }

  private dispatch(event: LinkEvent): void {
    const [next, effects] = step(this.current, event, { now: this.ports.now(), chance: this.ports.chance() });
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
        return this.load(effect.session);
      case "release":
        this.loading?.abort();
        return this.listener.release();
      case "close":
        return this.close();
      case "wake":
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.dispatch({ kind: "woke" }), effect.after);
    }
  }

  private open(session: Session): void {
    this.listener.buffer();
    const connection = this.ports.connect();
    this.connection = connection;
    connection.onMessage((argument) => {
      if (this.current.session === session && this.connection === connection) this.listener.message(argument);
    });
    connection.onClose(() => this.dispatch({ kind: "lost", session, cause: { kind: "closed" } }));
    connection.start().then(
      () => this.dispatch({ kind: "opened", session }),
      (error: unknown) => this.dispatch({ kind: "lost", session, cause: causeOf(error, "push") }),
    );
  }

  private load(session: Session): void {
    this.listener.buffer();
    const loading = new AbortController();
    this.loading = loading;
    this.ports.load(loading.signal).then(
      (snapshot) => {
        if (this.current.session !== session || loading.signal.aborted) return;
        this.listener.snapshot(snapshot);
        this.dispatch({ kind: "loaded", session });
      },
      (error: unknown) => {
        if (!loading.signal.aborted) this.dispatch({ kind: "loadFailed", session, cause: causeOf(error, "snapshot") });
      },
    );
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
