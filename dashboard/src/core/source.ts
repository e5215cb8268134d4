/**
 * Where states come from: a device, or a module or component of it. On the page a source has one id, made of its names, by
 * which rows, histories, selections and the page's address know it. Pure.
 */

/** The names of a source. A device as such has neither module nor component. */
export interface Source {
  readonly deviceId: string;
  /** Empty where there is none, as is `component`. */
  readonly module: string;
  readonly component: string;
}

/**
 * The id of a source: the device's name, or `device|module|component`. Different sources have different ids, because a `|`
 * within a name is escaped, and every id with a `|` has two.
 */
export function sourceId({ deviceId, module, component }: Source): string {
  if (module === "" && component === "" && !deviceId.includes(SEPARATOR)) return deviceId;
  return [deviceId, module, component].map(escaped).join(SEPARATOR);
}

/** The names of the source with this id. A text that is no id is taken for the name of a device. */
export function sourceOf(id: string): Source {
  const names = id.split(SEPARATOR);
  if (names.length !== 3) return { deviceId: id, module: "", component: "" };
  const [deviceId = "", module = "", component = ""] = names.map(unescaped);
  return { deviceId, module, component };
}

/** Whether it is finer than a device. */
export function isPart({ module, component }: Source): boolean {
  return module !== "" || component !== "";
}

/** As people read it: `tc-1`, `tc-1 / thermostat2`. */
export function sourceLabel({ deviceId, module, component }: Source): string {
  return [deviceId, module, component].filter((name) => name !== "").join(" / ");
}

const SEPARATOR = "|";

function escaped(name: string): string {
  return name.replaceAll("%", "%25").replaceAll(SEPARATOR, "%7C");
}

function unescaped(name: string): string {
  return name.replaceAll("%7C", SEPARATOR).replaceAll("%25", "%");
}
