#!/usr/bin/env node
// A stand-in of web-shell: the same addresses, variables and files, real terminals that dtach holds, and no
// page to use them with.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import { spawn } from "node-pty";
import { WebSocketServer } from "ws";

const { HOST = "127.0.0.1", PORT = "4000", SHELL = "bash", WEB_SHELL_CWD = homedir() } = process.env;
const { WEB_SHELL_TITLE_PREFIX = "" } = process.env;
const STATE = process.env.WEB_SHELL_STATE_DIR ?? join(homedir(), ".cache/web-shell/sessions");
const file = (id, kind) => join(STATE, `${id}.${kind}`);
const sessions = new Map();
mkdirSync(STATE, { recursive: true });

function open(info, fresh) {
  const command = `echo $$ > ${JSON.stringify(file(info.id, "pid"))}; exec ${JSON.stringify(info.shell)}`;
  const options = ["-r", "none", "-E"];
  const words = fresh ? ["-A", file(info.id, "sock"), ...options, "sh", "-c", command] : ["-a", file(info.id, "sock"), ...options];
  const pty = spawn("dtach", words, { name: "xterm-256color", cols: 80, rows: 24, cwd: info.cwd, env: process.env });
  writeFileSync(file(info.id, "json"), JSON.stringify(info));
  pty.onExit(() => sessions.delete(info.id));
  sessions.set(info.id, { info, pty });
  return info;
}

function close(id) {
  try {
    process.kill(Number(readFileSync(file(id, "pid"), "utf8")), "SIGHUP");
  } catch {
    // it is gone
  }
  for (const kind of ["sock", "json", "pid"]) rmSync(file(id, kind), { force: true });
  return sessions.delete(id);
}

for (const name of readdirSync(STATE).filter((each) => each.endsWith(".sock"))) {
  const meta = file(name.slice(0, -5), "json");
  if (existsSync(meta)) open(JSON.parse(readFileSync(meta, "utf8")), false);
}

const server = createServer(async (request, response) => {
  const say = (status, value) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  const { origin, host } = request.headers;
  if (origin && new URL(origin).host !== host) return say(403, { error: "origin not allowed" });
  const [, id] = /^\/api\/sessions\/([^/]+)$/.exec(request.url) ?? [];
  if (request.url === "/api/sessions" && request.method === "GET") {
    return say(200, [...sessions.values()].map((each) => each.info));
  }
  if (request.url === "/api/sessions" && request.method === "POST") {
    let text = "";
    for await (const part of request) text += part;
    const { cwd = WEB_SHELL_CWD, title = `shell-${sessions.size + 1}` } = JSON.parse(text || "{}");
    return say(201, open({ id: randomUUID(), title, shell: SHELL, cwd, createdAt: Date.now() }, true));
  }
  if (id && request.method === "DELETE") return say(close(id) ? 200 : 404, {});
  if (request.url.startsWith("/api/")) return say(404, { error: "not found" });
  const page = readFileSync(new URL("../../client/dist/index.html", import.meta.url), "utf8");
  response.writeHead(200, { "content-type": "text/html" });
  response.end(page.replace("{{TITLE_PREFIX}}", WEB_SHELL_TITLE_PREFIX.replace(/[<>&"]/g, (c) => `&#${c.charCodeAt(0)};`)));
});

const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket, request) => {
  const [, id] = /^\/api\/sessions\/([^/]+)\/stream$/.exec(request.url) ?? [];
  const pty = sessions.get(id)?.pty;
  if (!pty) return socket.close();
  const listener = pty.onData((data) => socket.send(JSON.stringify({ type: "output", data })));
  socket.on("message", (text) => pty.write(JSON.parse(text).data));
  socket.on("close", () => listener.dispose());
});

server.listen(Number(PORT), HOST, () => console.log(`[web-shell] a stand-in, http://${HOST}:${PORT}`));
process.on("SIGTERM", () => process.exit(0));
