/**
 * One stream of events per browser. The tab that holds the lock listens and hands every event on; when it closes, another takes over and
 * begins with a snapshot. What a tab shows is never older than what it says it is: silence is noticed and shown.
 */
import { client, take } from "../api/client";
import { type Delta, EMPTY, fromSnapshot, getLive, setLive, type Live, type Snapshot, withDelta } from "./store";

const KINDS = ["node", "job", "progress", "points", "flows", "environment", "trigger", "log"] as const;
const LOCK = "holdfast-events";
const ASK_AFTER_MS = 20_000;
const RETRY_MS = 2_000;

type Word = { kind: "event"; delta: Delta } | { kind: "state"; live: Live } | { kind: "hello" };
type Told = { onDelta: (delta: Delta) => void; onSnapshot: () => void; onEnd: () => void };

/** Follow until the returned function is called. */
export function followEvents(told: Told): () => void {
  const channel = new BroadcastChannel(LOCK);
  const over = new AbortController();
  const post = (word: Word) => {
    if (!over.signal.aborted) channel.postMessage(word);
  };
  const takeIn = (next: Live) => setLive({ ...next, heardAt: Date.now() });
  let leads = false;

  channel.onmessage = ({ data }: MessageEvent<Word>) => {
    if (data.kind === "hello" && leads) post({ kind: "state", live: getLive() });
    if (data.kind === "state" && !leads) {
      const isSnapshot = data.live.connection === "live" && data.live.environment !== null;
      setLive(data.live);
      if (data.live.connection === "ended") told.onEnd();
      else if (isSnapshot) told.onSnapshot();
    }
    if (data.kind === "event" && !leads) {
      takeIn(withDelta(getLive(), data.delta));
      told.onDelta(data.delta);
    }
  };
  post({ kind: "hello" });

  const share = (live: Live) => {
    setLive(live);
    post({ kind: "state", live });
  };
  const lead = () =>
    new Promise<void>((resolve) => {
      if (over.signal.aborted) {
        resolve();
        return;
      }
      leads = true;
      const stop = listen({
        snapshot: (snapshot) => {
          share({ ...fromSnapshot(getLive(), snapshot), connection: "live", heardAt: Date.now() });
          told.onSnapshot();
        },
        delta: (delta) => {
          takeIn({ ...withDelta(getLive(), delta), connection: "live" });
          post({ kind: "event", delta });
          told.onDelta(delta);
        },
        alive: () => setLive({ ...getLive(), heardAt: Date.now() }),
        lost: () => share({ ...getLive(), connection: "lost" }),
        ended: () => {
          share({ ...EMPTY, connection: "ended" });
          told.onEnd();
        },
      });
      over.signal.addEventListener("abort", () => {
        stop();
        resolve();
      });
    });
  void navigator.locks.request(LOCK, { signal: over.signal }, lead).catch(() => undefined);
  return () => {
    over.abort();
    channel.close();
  };
}

interface Ear {
  snapshot: (snapshot: Snapshot) => void;
  delta: (delta: Delta) => void;
  alive: () => void;
  lost: () => void;
  ended: () => void;
}

/** The connection itself: opens it, notices when it is gone or silent, opens it again. */
function listen(ear: Ear): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  let isLost = false;

  const lose = () => {
    if (!isLost) ear.lost();
    isLost = true;
  };
  const again = (wait: number) => {
    clearTimeout(timer);
    if (!isStopped) timer = setTimeout(open, wait);
  };
  const hear = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void ask(), ASK_AFTER_MS);
  };
  // Silence may be peace or a broken way: comments that keep the stream alive do not reach a page, so it asks.
  const ask = async () => {
    try {
      await take(client.GET("/api/v1/health", { signal: AbortSignal.timeout(5_000) }));
      if (isStopped) return;
      if (isLost) open();
      else {
        ear.alive();
        hear();
      }
    } catch {
      lose();
      again(RETRY_MS);
    }
  };
  // A stream that was refused tells no reason; the session does.
  const refused = async () => {
    try {
      await take(client.GET("/api/v1/session", { signal: AbortSignal.timeout(5_000) }));
      again(RETRY_MS);
    } catch (error) {
      if ((error as { status?: number }).status === 401) ear.ended();
      else again(RETRY_MS);
    }
  };
  function open(): void {
    source?.close();
    source = new EventSource("/api/v1/events");
    source.addEventListener("snapshot", (event) => {
      isLost = false;
      hear();
      ear.snapshot(JSON.parse((event as MessageEvent<string>).data) as Snapshot);
    });
    for (const kind of KINDS)
      source.addEventListener(kind, (event) => {
        isLost = false;
        hear();
        ear.delta(JSON.parse((event as MessageEvent<string>).data) as Delta);
      });
    source.addEventListener("end", () => {
      stop();
      ear.ended();
    });
    source.onopen = hear;
    source.onerror = () => {
      lose();
      source?.close();
      void refused();
    };
  }
  function stop(): void {
    isStopped = true;
    clearTimeout(timer);
    source?.close();
  }
  open();
  return stop;
}
