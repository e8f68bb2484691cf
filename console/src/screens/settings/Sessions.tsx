/** The browsers that are signed in; any of them can be ended. */
import { Badge, Button, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { act } from "../../parts/acting";

const KEY = ["sessions"] as const;

export function Sessions() {
  const sessions = useQuery({ queryKey: KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/sessions", { signal })) });
  const rows = sessions.data?.sessions ?? [];
  const end = (session: string) => act(() => take(client.DELETE("/api/v1/sessions/{session}", { params: { path: { session } } })), "The session is ended", KEY);
  return (
    <>
      {sessions.error && <Problem error={sessions.error} onRetry={() => void sessions.refetch()} />}
      <Card title={counted(rows.length, "session")}>
        <ul className={lines.list} aria-label="Sessions">
          {rows.map((each) => (
            <li key={each.id}>
              <div className={lines.grow}>
                <Text size="sm" fw={600}>
                  {each.user} from {visible(each.peer)} {each.current && <Badge variant="default">this one</Badge>}
                </Text>
                <Text size="sm" c="dimmed">
                  {visible(each.agent)}, used <Moment time={each.used_at} ago />, ends <Moment time={each.expires_at} />
                </Text>
              </div>
              {!each.current && (
                <Button size="xs" variant="default" aria-label={`End the session of ${each.user} from ${visible(each.peer)}`} onClick={() => void end(each.id)}>
                  End it
                </Button>
              )}
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}
