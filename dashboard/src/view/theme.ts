/** The theme (light, dark, or as the machine prefers), and the colours for canvases. */
import { PLACES } from "../core/selection";
import { byId, make, setText } from "./dom";
import type { Palette } from "./frame";

const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const KEY = "fieldcast-theme";

export class ThemeSwitch {
  private readonly button = byId("theme", HTMLButtonElement);
  private theme: Theme = stored();
  private colors: Palette = readPalette();

  constructor(private readonly onChange: () => void) {
    this.button.addEventListener("click", () => this.next());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.apply());
    this.apply();
  }

  get palette(): Palette {
    return this.colors;
  }

  private next(): void {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length] ?? "auto";
    store(this.theme);
    this.apply();
  }

  private apply(): void {
    document.documentElement.dataset["theme"] = this.theme;
    setText(byId("theme-name", HTMLSpanElement), this.theme);
    this.colors = readPalette();
    this.onChange();
  }
}

/** Canvases do not understand `var()` and `light-dark()`, so the colours are computed with the help of an element. */
function readPalette(): Palette {
  const probe = document.body.appendChild(make("span", { hidden: "" }));
  const style = getComputedStyle(probe);
  const color = (name: string): string => {
    probe.style.color = `var(${name})`;
    return style.color;
  };
  const palette = {
    ink: color("--ink"),
    muted: color("--muted"),
    line: color("--hairline"),
    accent: color("--accent"),
    amber: color("--amber"),
    series: Array.from({ length: PLACES }, (_, place) => color(`--series-${place}`)),
    font: `11px ${style.fontFamily}`,
  };
  probe.remove();
  return palette;
}

/** Storage may be blocked; then the choice lasts as long as the page. */
function stored(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? "auto";
  } catch {
    return "auto";
  }
}

function store(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Blocked, as above.
  }
}
