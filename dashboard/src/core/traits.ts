/** What the values of each measurement are like over all devices. Pure. */
import type { Device } from "./wire";

/** What is known of the values of one measurement; decides columns and decimals. */
export interface Trait {
  /** Some device has a number, and not only words. */
  readonly numeric: boolean;
  readonly largest: number;
  readonly fractional: boolean;
}

export type Traits = ReadonlyMap<string, Trait>;

/** More measurements than a catalogue has. Further ones are ignored. */
export const MOST_TRAITS = 500;

const NO_TRAIT: Trait = { numeric: false, largest: 0, fractional: false };

/** The traits with those of more devices; the same map when nothing is new. */
export function widen(traits: Traits, devices: readonly Device[]): Traits {
  let next: Map<string, Trait> | null = null;
  const put = (name: string, trait: (known: Trait) => Trait): void => {
    const known = (next ?? traits).get(name);
    if (known === undefined && (next ?? traits).size >= MOST_TRAITS) return;
    const wider = trait(known ?? NO_TRAIT);
    if (wider === known) return;
    next ??= new Map(traits);
    next.set(name, wider);
  };
  for (const { values, words } of devices) {
    for (const [name, value] of Object.entries(values)) put(name, (known) => widened(known, value));
    for (const name of Object.keys(words)) put(name, (known) => known);
  }
  return next ?? traits;
}

function widened(known: Trait, value: number): Trait {
  const largest = Math.max(known.largest, Math.abs(value));
  const fractional = known.fractional || !Number.isInteger(value);
  return known.numeric && known.largest === largest && known.fractional === fractional ? known : { numeric: true, largest, fractional };
}
