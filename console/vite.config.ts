import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin, type ProxyOptions } from "vite";

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

/** Fails a build in which a part of Mantine is without its styles, or styles without the part (`src/app/mantine.ts`). */
function mantineStyles(): Plugin {
  const named = (ids: Iterable<string>, pattern: RegExp) => new Set([...ids].flatMap((id) => pattern.exec(id)?.[1] ?? []));
  const always = ["baseline", "default-css-variables", "global"];
  return {
    name: "mantine-styles",
    apply: "build",
    generateBundle(_options, bundle) {
      const parts = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
      const wanted = new Set([...always, ...named(parts, /@mantine\/core\/.*\/(\w+)\.module\.mjs$/)]);
      const there = named(this.getModuleIds(), /@mantine\/core\/styles\/([\w-]+)\.css$/);
      const missing = [...wanted].filter((name) => !there.has(name));
      const needless = [...there].filter((name) => !wanted.has(name));
      if (missing.length > 0) this.error(`src/app/mantine.ts lacks the styles of ${missing.join(", ")}`);
      if (needless.length > 0) this.error(`src/app/mantine.ts has styles that nothing needs: ${needless.join(", ")}`);
    },
  };
}

export default defineConfig({
  plugins: [react(), mantineStyles()],
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
