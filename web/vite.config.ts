import { defineConfig } from "vite";

export default defineConfig({
  // Relative, so that a host may serve the page below any path.
  base: "./",
  build: {
    outDir: "built",
    target: "es2022",
    // A data: address would need an exception in the server's content security policy.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
  },
  worker: { format: "es" },
});
