import { describe, expect, it } from "vitest";

const SOURCES: Record<string, string> = import.meta.glob(["../src/**/*.ts", "../../local/simulation/screens-engine/*.mjs"], {
  query: "?raw", import: "default", eager: true,
});

/** At the beginning of a line, because an example in a comment is no import. */
const IMPORT = /^(?:import |export |\} |\/\*\* @import ).*from "(\.[^"]+)"/gm;

/** The files that a file imports from, including those from which it takes only types. */
function importsOf(path: string): readonly string[] {
  const targets = [...(SOURCES[path] ?? "").matchAll(IMPORT)].map(([, target = ""]) => resolved(path, target));
  return targets.map((target) => (target in SOURCES ? target : `${target}.ts`));
}

/** Paths are relative to this folder, as `import.meta.glob` gives them. */
function resolved(path: string, target: string): string {
  const root = "file:///dashboard/test/";
  const absolute = new URL(target, new URL(path, root)).pathname;
  return absolute.startsWith("/dashboard/") ? absolute.replace("/dashboard/", "../") : `../..${absolute}`;
}

/** All files that a file reaches; it is among them itself only when an import leads back to it. */
function reachedFrom(path: string, reached = new Set<string>()): ReadonlySet<string> {
  for (const target of importsOf(path)) {
    if (reached.has(target)) continue;
    reached.add(target);
    reachedFrom(target, reached);
  }
  return reached;
}

describe("imports", () => {
  it("lead to files that are there", () => {
    expect(Object.keys(SOURCES).length).toBeGreaterThan(60);
    for (const path of Object.keys(SOURCES)) for (const target of importsOf(path)) expect(SOURCES[target], `${path}: ${target}`).toBeDefined();
  });

  it("go in no circle", () => {
    expect(Object.keys(SOURCES).filter((path) => reachedFrom(path).has(path))).toEqual([]);
  });

  it.each([
    ["core", ["core"]],
    ["link", ["core", "link"]],
    ["view", ["core", "link", "view"]],
  ])("of %s stay within %j", (folder, allowed) => {
    for (const path of Object.keys(SOURCES).filter((one) => one.startsWith(`../src/${folder}/`))) {
      for (const target of importsOf(path)) expect(allowed, `${path}: ${target}`).toContain(/^..\/src\/(\w+)\//.exec(target)?.[1]);
    }
  });

  it("of the client module lead to no view, and to nothing that speaks of a document", () => {
    const reached = reachedFrom("../src/convergence.ts");
    expect(reached.size).toBeGreaterThan(8);
    for (const path of ["../src/convergence.ts", ...reached]) {
      expect(path).not.toContain("/view/");
      expect(SOURCES[path], path).not.toMatch(/\b(document|window|navigator|location|localStorage)\./);
    }
  });
});
