/** What is promised along a mover, row by row, the worst first. */
import { Text, Title } from "@mantine/core";
import { formatCount, formatDuration, visible } from "../../../parts/format";
import { Moment } from "../../../parts/Moment";
import { State, stateOf } from "../../../parts/State";
import classes from "./monitor.module.css";
import { Why } from "./Run";
import { shortWait } from "./waits";
import type { MoverMonitor, Protection } from "./useMonitor";

const SHOWN = 20;

export function Protections({ flow, mover }: { flow: string; mover: MoverMonitor }) {
  const rows = mover.protections.slice(0, SHOWN);
  if (rows.length === 0) return null;
  return (
    <section className={classes.section} aria-label="What is promised here">
      <Title order={3}>What is promised here</Title>
      <ul className={classes.list}>
        {rows.map((row) => (
          <li key={`${row.dataset_id}/${row.operation}/${row.action_id}`} className={classes.item}>
            <Row flow={flow} row={row} told={mover.error?.message} />
          </li>
        ))}
      </ul>
      {mover.protections_total > rows.length && (
        <Text size="sm" c="dimmed">
          And {formatCount(mover.protections_total - rows.length)} more; the worst are shown.
        </Text>
      )}
    </section>
  );
}

/** `told`: a reason that is shown elsewhere already. */
function Row({ flow, row, told }: { flow: string; row: Protection; told: string | undefined }) {
  const behind = row.behind_runs ?? 0;
  return (
    <>
      <div className={classes.line}>
        <span>
          {visible(row.dataset)}, {visible(row.operation)}
        </span>
        {row.overdue ? <State state="overdue" quiet /> : <State state={stateOf(row.state)} label={row.state} quiet />}
      </div>
      <Text size="xs" c="dimmed" component="div">
        {row.last_at ? (
          <>
            acknowledged <Moment time={row.last_at} ago />
          </>
        ) : (
          "never acknowledged"
        )}
        {row.every_s != null && `, promised every ${formatDuration(row.every_s)}`}
        {row.due_at && (
          <>
            , due <Moment time={row.due_at} ago />
          </>
        )}
        {row.wait && `, ${shortWait(row.wait)}`}
        {row.retry_at && (
          <>
            , next try <Moment time={row.retry_at} ago />
          </>
        )}
        {behind > 0 && `, ${formatCount(behind)} behind`}
        {(row.missed ?? 0) > 0 && `, ${formatCount(row.missed!)} missed`}
      </Text>
      {row.error && row.error.message !== told && <Why flow={flow} dataset={row.dataset} error={row.error} />}
    </>
  );
}
