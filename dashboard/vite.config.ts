/** Build, development server and test settings of the dashboard. */
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";
import { policyPlugin } from "./policy";

export default defineConfig(({ mode }) => ({
  // Relative addresses, so that the built page can be served from any folder.
  base: "./",
  // Where the functions are, for a page on another web host: FIELDCAST_API=https://example.azurewebsites.net npm run build
  plugins: [policyPlugin(loadEnv(mode, ".", "FIELDCAST_")["FIELDCAST_API"]?.trim() || null)],
  build: {
    // Fonts and images stay files: a content security policy need not allow `data:` for them.
    assetsInlineLimit: 0,
    rollupOptions: {
      onwarn(warning, warn) {
        // A misplaced comment in the SignalR client; without consequence.
        if (warning.code !== "INVALID_ANNOTATION") warn(warning);
      },
    },
    target: "es2023",
  },
  server: {
    // `npm run dev` talks to the handler that `cargo dev up` started.
    proxy: { "/api": "http://127.0.0.1:7071" },
  },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
  },
}));
