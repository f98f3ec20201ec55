// What one would use instead of the listener: Bun.serve, bun:sqlite and zod, put together as their documentation
// shows. It takes the same records over HTTPS with the same key and answers the same fields; it stores each request
// in a transaction of its own before it answers, with the database's durability as the listener's default has it.
//
// It does less than the listener: one key, no limit on what is open or queued, no deadlines, no log, no purge, no
// check for a record that is sent twice, and no more of a record than what zod keeps.
import { Database } from "bun:sqlite";
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";

const { KEY = "", DB = "", PORT = "0", CERT = "", TLS_KEY = "" } = process.env;

const db = new Database(DB, { create: true, strict: true });
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
db.exec(`CREATE TABLE IF NOT EXISTS profiling_data (
  id INTEGER PRIMARY KEY,
  correlation_id TEXT NOT NULL,
  project TEXT NOT NULL,
  source TEXT NOT NULL,
  timestamp REAL NOT NULL,
  duration_ms REAL,
  name TEXT NOT NULL,
  payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_correlation_id ON profiling_data (correlation_id);
CREATE INDEX IF NOT EXISTS by_project ON profiling_data (project, timestamp);
CREATE INDEX IF NOT EXISTS by_duration ON profiling_data (duration_ms);
CREATE INDEX IF NOT EXISTS by_source ON profiling_data (source, timestamp);`);

const insert = db.query(`INSERT INTO profiling_data (correlation_id, project, source, timestamp, duration_ms, name, payload)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`);
const insertAll = db.transaction((records: Rec[], source: string) => {
  for (const r of records) store(r, source);
});

const common = {
  project: z.string().min(1).max(50),
  correlation_id: z.uuid(),
  timestamp: z.number().positive(),
  duration_ms: z.number().nonnegative().nullable(),
  profiling_data: z.record(z.string(), z.unknown()),
};
const php = z.object({ ...common, request_uri: z.string().min(1).max(8192) });
const postgres = z.object({ ...common, query: z.string().min(1).max(65536) });
type Rec = z.infer<typeof php> | z.infer<typeof postgres>;

function store(r: Rec, source: string) {
  insert.run(r.correlation_id, r.project, source, r.timestamp, r.duration_ms, "query" in r ? r.query : r.request_uri,
    JSON.stringify(r.profiling_data));
}

const expected = Buffer.from(`Bearer ${KEY}`);

function ingest(one: typeof php | typeof postgres, source: string) {
  const many = z.array(one).max(5000);
  return async (req: Request) => {
    const got = Buffer.from(req.headers.get("authorization") ?? "");
    if (got.length !== expected.length || !timingSafeEqual(got, expected)) {
      return Response.json({ error: "Unauthorized" }, { status: 401 });
    }
    let body: unknown;
    try {
      body = req.headers.get("content-encoding") === "gzip"
        ? JSON.parse(new TextDecoder().decode(Bun.gunzipSync(await req.bytes())))
        : await req.json();
    } catch {
      return Response.json({ error: "Invalid JSON" }, { status: 400 });
    }
    if (Array.isArray(body)) {
      const parsed = many.safeParse(body);
      if (!parsed.success) return Response.json({ error: "Validation failed", details: parsed.error.issues }, { status: 400 });
      insertAll.immediate(parsed.data, source);
      return Response.json({ accepted: parsed.data.length });
    }
    const parsed = one.safeParse(body);
    if (!parsed.success) return Response.json({ error: "Validation failed", details: parsed.error.issues }, { status: 400 });
    store(parsed.data, source);
    return Response.json({ accepted: 1 });
  };
}

const server = Bun.serve({
  port: Number(PORT),
  hostname: "127.0.0.1",
  tls: { cert: Bun.file(CERT), key: Bun.file(TLS_KEY) },
  routes: {
    "/health": new Response("OK"),
    "/ingest/php": { POST: ingest(php, "php_agent") },
    "/ingest/postgres": { POST: ingest(postgres, "postgres_agent") },
  },
});
process.on("SIGTERM", () => server.stop().then(() => { db.close(); process.exit(0); }));
console.log(server.url.href);
