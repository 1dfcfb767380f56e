/** Pages that tests drive: the product's own modules, put together in ways that the product is not. Never shipped. */

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
  root: here("."),
  base: "./",
  logLevel: "warn",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: { input: { demo: here("demo.html"), sealed: here("sealed.html") } },
  },
  worker: { format: "es" },
});
