/** Who is at work in it now, by restic's lock files. */
import { List, Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import type { Repository } from "./figures";

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
    </Card>
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
