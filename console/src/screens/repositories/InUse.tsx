/** Who is at work in it now, by restic's lock files; and keeping everybody out for a while, so that stock restic may prune it. */
import { Button, Group, List, Stack, Text } from "@mantine/core";
import { client, take } from "../../api/client";
import { useRepositories } from "../../api/queries";
import { useBusy } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { counted, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import type { Repository } from "./figures";
import { OnlyFor } from "../../parts/OnlyFor";

type Lock = Repository["locks"][number];

export function InUse({ row }: { row: Repository }) {
  return (
    <Card title="In use by">
      {row.locks.length === 0 ? (
        <Text size="sm">Nobody at the moment. Stock restic may prune it, or work alone in it.</Text>
      ) : (
        <List size="sm" spacing={6} listStyleType="none">
          {row.locks.map((lock) => (
            <List.Item key={lock.id}>
              <LockLine lock={lock} owner={row.node} />
            </List.Item>
          ))}
        </List>
      )}
      <Paused row={row} />
    </Card>
  );
}

const PAUSE_FOR = "2h";

/** A pause from here ends by itself: one that is forgotten would leave its sources without protection. */
function Paused({ row }: { row: Repository }) {
  const { busy, attempt } = useBusy();
  const { refetch } = useRepositories();
  const params = { path: { repository: row.name } };
  const ask = (begin: () => Promise<unknown>) =>
    attempt(async () => {
      await begin();
      await refetch();
    });
  const resume = () => take(client.POST("/api/v1/repositories/{repository}/resume", { params }));
  const pause = () => take(client.POST("/api/v1/repositories/{repository}/pause", { params, body: { duration: PAUSE_FOR } }));
  const left = row.pause?.sessions ?? 0;
  return (
    <Stack gap="xs" mt="sm" align="flex-start">
      {row.pause && (
        <Group gap="xs">
          <State state="warning" label="paused" quiet />
          <Text size="sm">
            since <Moment time={row.pause.since} ago />
            {row.pause.until && (
              <>
                , until <Moment time={row.pause.until} />
              </>
            )}
            {row.pause.by && `, by ${visible(row.pause.by)}`}. {left > 0 ? `${counted(left, "session")} that began before still at work.` : "It is free for restic prune."}
          </Text>
        </Group>
      )}
      <OnlyFor activity="repositories.care">
        <Button variant="default" size="xs" loading={busy} onClick={() => void ask(row.pause ? resume : pause)}>
          {row.pause ? "Resume it" : "Pause it for 2 hours"}
        </Button>
      </OnlyFor>
      <Text size="xs" c="dimmed">
        While it is paused nobody begins work in it, so that stock restic finds it free. Runs and restores wait; sources catch up afterwards.
      </Text>
    </Stack>
  );
}

function LockLine({ lock, owner }: { lock: Lock; owner: string }) {
  if (!lock.at)
    return (
      <>
        <State state="unknown" label="cannot be read" quiet /> lock {lock.id.slice(0, 8)}
      </>
    );
  const word = lock.stale ? "gone" : lock.exclusive ? "alone" : "at work";
  return (
    <>
      <State state={lock.stale ? "warning" : "running"} label={word} quiet />{" "}
      {lock.own ? `its owner, ${visible(owner)}` : `${visible(lock.username)} on ${visible(lock.hostname)}`}, process {lock.pid}, last heard of{" "}
      <Moment time={lock.at} ago />
      {lock.stale && ". Its lock is ignored, and restic unlock takes it away."}
    </>
  );
}
