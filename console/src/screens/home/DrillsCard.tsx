/** What was restored on trial, as home shows it: trouble first. */
import { Text } from "@mantine/core";
import { Link } from "wouter";
import { to } from "../../app/places";
import { Card } from "../../parts/Card";
import { type Drill, drillsSummary, drillWord, worstFirst } from "../../parts/drills";
import { counted, sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import classes from "./Home.module.css";

const SHOWN = 5;

export type DrillOf = Drill & { repository: string };

export function DrillsCard({ drills }: { drills: readonly DrillOf[] }) {
  return (
    <Card title="Last proven restorable">
      <Text size="sm" mb="sm">
        {drillsSummary(drills)}
      </Text>
      <ul className={classes.plain}>
        {worstFirst(drills)
          .slice(0, SHOWN)
          .map((drill) => (
            <Row key={`${drill.repository}/${drill.dataset_id}`} drill={drill} />
          ))}
      </ul>
      {drills.length > SHOWN && (
        <Text size="sm" c="dimmed">
          And {drills.length - SHOWN} more, at their repositories.
        </Text>
      )}
    </Card>
  );
}

function Row({ drill }: { drill: DrillOf }) {
  const { state, word } = drillWord(drill);
  return (
    <li>
      <State state={state} label={word} />
      <div className={classes.grow}>
        <Text size="sm">
          {visible(drill.dataset)} in{" "}
          <Link href={to.repository(drill.repository)} className={classes.name}>
            {visible(drill.repository)}
          </Link>
        </Text>
        {drill.last?.problem && (
          <Text size="sm" c="dimmed">
            {sentence(visible(drill.last.problem))}
          </Text>
        )}
      </div>
      <Text size="sm" c="dimmed">
        {drill.last && !drill.last.problem && <>{counted(drill.last.files, "file")}, </>}
        <Moment time={drill.proven_at} ago never="never proven" />
      </Text>
    </li>
  );
}
