import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig, type ProxyOptions } from "vite";

// `npm run dev` shows this source in front of a running Master:
//   HOLDFAST_MASTER=https://127.0.0.1:7440 HOLDFAST_TLS=~/.local/share/holdfast/master/tls npm run dev
// The session cookie wants HTTPS, so the dev server borrows the Master's own certificate.
const master = process.env.HOLDFAST_MASTER ?? "https://127.0.0.1:7440";
const tls = process.env.HOLDFAST_TLS;

const api: ProxyOptions = {
  target: master,
  secure: false,
  changeOrigin: true,
  configure: (proxy) => {
    proxy.on("proxyReq", (request) => request.setHeader("origin", master));
  },
};

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/holdfast/api/static",
    emptyOutDir: true,
    // For scripts/console-size; the Master serves nothing whose name begins with a dot.
    manifest: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  server: {
    https: tls ? { key: readFileSync(`${tls}/key.pem`), cert: readFileSync(`${tls}/cert.pem`) } : undefined,
    proxy: { "/api": api },
  },
  test: { environment: "node", include: ["src/**/*.test.ts", "src/**/*.test.tsx"] },
} as Parameters<typeof defineConfig>[0]);
