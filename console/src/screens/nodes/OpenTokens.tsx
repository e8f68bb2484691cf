/** Join tokens that still open the door, with the time they have left; each can be cancelled. */
import { Button, Text } from "@mantine/core";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { client, take } from "../../api/client";
import { queryClient } from "../../api/queries";
import { useLive } from "../../live/store";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { sayDone, sayFailed } from "../../parts/notices";
import { Problem } from "../../parts/Problem";
import { countdown } from "./joining";
import lines from "../../parts/Rows.module.css";

export const TOKENS_KEY = ["join-tokens"] as const;

/** Read anew whenever a node comes or changes: a token that was used is open no more. */
export function useOpenTokens() {
  const nodes = useLive((live) => live.nodes.map((node) => node.id + node.state).join());
  return useQuery({
    queryKey: [...TOKENS_KEY, nodes],
    queryFn: ({ signal }) => take(client.GET("/api/v1/nodes/tokens", { signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  });
}

export async function cancelToken(id: string): Promise<boolean> {
  try {
    await take(client.DELETE("/api/v1/nodes/tokens/{token}", { params: { path: { token: id } } }));
    sayDone("The token is cancelled", "Nobody joins with it any more.");
    return true;
  } catch (error) {
    sayFailed(error);
    return false;
  } finally {
    void queryClient.invalidateQueries({ queryKey: TOKENS_KEY });
  }
}

/** Milliseconds since 1970, each second. */
export function useSecond(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function OpenTokens({ except }: { except: string }) {
  const tokens = useOpenTokens();
  const now = useSecond();
  const rows = (tokens.data?.tokens ?? []).filter((token) => token.id !== except && countdown(token.expires_at, now) !== null);
  if (tokens.error) return <Problem error={tokens.error} onRetry={() => void tokens.refetch()} />;
  if (rows.length === 0) return null;
  return (
    <Card title="Other open tokens">
      <ul className={lines.list}>
        {rows.map((token) => (
          <li key={token.id}>
            <div className={lines.grow}>
              <Text size="sm">{token.name ? `For ${visible(token.name)}` : "For any machine"}</Text>
              <Text size="sm" c="dimmed">
                {token.replace ? "may take the place of the node of this name" : token.hold ? "waits to be authorised" : "is let in at once"}, {countdown(token.expires_at, now)} left
              </Text>
            </div>
            <Button size="xs" variant="default" onClick={() => void cancelToken(token.id)} aria-label={`Cancel it, the token for ${token.name || "any machine"}`}>
              Cancel it
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}
