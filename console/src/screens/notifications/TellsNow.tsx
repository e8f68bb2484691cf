/** What stands now, worst first, and what each rule makes of it. Nobody is told by looking. */
import { Loader, Text } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { Schemas } from "../../api/client";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { Coded } from "../../parts/Coded";
import { Moment } from "../../parts/Moment";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { State, stateOf } from "../../parts/State";

const MOST = 50;

export function TellsNow({ now }: { now: UseQueryResult<Schemas["NotificationsNow"]> }) {
  const notices = now.data?.notices ?? [];
  const unknown = now.data?.unknown ?? [];
  return (
    <Card title="Told now">
      {now.error && <Problem error={now.error} onRetry={() => void now.refetch()} />}
      {now.isPending && <Loader size="sm" aria-label="Asking the nodes" />}
      {now.data && notices.length === 0 && <Text size="sm">Nothing stands that a rule could tell. Lines of the log and failed jobs are told once, as they come.</Text>}
      <ul className={lines.list} aria-label="What stands now">
        {notices.slice(0, MOST).map(({ notice, since, rules }) => (
          <li key={notice.key}>
            <div className={lines.badge}>
              <State state={stateOf(notice.severity)} label={notice.code} />
            </div>
            <div className={lines.grow}>
              <Text size="sm" fw={600}>
                {visible(notice.subject)}
              </Text>
              <Text size="sm">
                <Coded text={visible(notice.message)} />
                {since && <>, since <Moment time={since} ago /></>}
              </Text>
            </div>
            <div className={lines.grow}>
              {rules.length === 0 && <Text size="sm">No rule chooses it: nobody is told.</Text>}
              {rules.map((each) => (
                <Text key={each.rule} size="sm">
                  {each.rule} to {each.to.join(", ")}: {each.told_at ? <>told <Moment time={each.told_at} ago /></> : "not told yet"}
                  {each.due_at && <>, due <Moment time={each.due_at} ago /></>}
                </Text>
              ))}
            </div>
          </li>
        ))}
      </ul>
      {notices.length > MOST && <Text size="sm">And {notices.length - MOST} more.</Text>}
      {unknown.length > 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          Nothing is known since the Master started of {unknown.map(visible).join(", ")}.
        </Text>
      )}
    </Card>
  );
}
