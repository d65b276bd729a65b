import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** The page may talk to its own server and to nobody else, even where a proxy in front forgets the header. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
    ],
  };
}

const server = process.env.LOGKEEP_URL ?? "http://127.0.0.1:7280";

export default defineConfig({
  plugins: [react(), contentSecurityPolicy()],
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: true },
  server: { proxy: { "/api": { target: server } } },
});
