/** Keeps what is followed beside a replica that does not follow by itself yet; takes no notice of it otherwise. */
import { Replica, type Watcher, type World } from "./convergence";
import type { Following } from "./core/following";

export class Follower extends Replica {
  constructor(world: World, watcher: Watcher, public following: Following) {
    super(world, watcher);
  }

  follow(following: Following): void {
    this.following = following;
  }
}
