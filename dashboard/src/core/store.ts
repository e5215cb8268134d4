/** Holds the fleet and a queue of actions. They are applied when somebody looks, neighbouring messages in one step. */
import { EMPTY_FLEET, reduceFleet, type Fleet, type FleetAction } from "./fleet";
import { EVERYTHING, type Following } from "./following";

/** When more device states than this are waiting, they are applied at once, for instance in a page in the background. */
const MOST_WAITING = 5_000;

export class Store {
  private current: Fleet;
  private queue: FleetAction[] = [];
  private waiting = 0;

  /** `onStep` is called after every action that was applied. */
  constructor(private readonly onStep: (fleet: Fleet) => void, following: Following = EVERYTHING) {
    this.current = { ...EMPTY_FLEET, following };
  }

  get fleet(): Fleet {
    return this.current;
  }

  dispatch(action: FleetAction): void {
    this.queue.push(action);
    this.waiting += "devices" in action ? action.devices.length : 0;
    if (this.waiting > MOST_WAITING) this.flush();
  }

  flush(): void {
    const { queue } = this;
    this.queue = [];
    this.waiting = 0;
    for (const action of joined(queue)) {
      this.current = reduceFleet(this.current, action);
      this.onStep(this.current);
    }
  }
}

/** The same actions, with neighbouring messages joined into one. */
function joined(actions: readonly FleetAction[]): readonly FleetAction[] {
  const result: FleetAction[] = [];
  let run: Extract<FleetAction, { kind: "messages" }>[] = [];
  const close = (): void => {
    const last = run.at(-1);
    if (last === undefined) return;
    const malformed = run.reduce((sum, action) => sum + action.malformed, 0);
    result.push({ ...last, devices: run.flatMap(({ devices }) => devices), malformed });
    run = [];
  };
  for (const action of actions) {
    if (action.kind === "messages") {
      run.push(action);
      continue;
    }
    close();
    result.push(action);
  }
  close();
  return result;
}
