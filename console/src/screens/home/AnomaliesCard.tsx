/** What looks as if somebody were destroying it, as home shows it: until a person has said what it was. */
import { Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { keys, queryClient } from "../../api/queries";
import { to } from "../../app/places";
import { type Anomaly, anomalyState, anomalyWords, cleanAddress } from "../../parts/anomalies";
import { Card } from "../../parts/Card";
import { sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { sayFailed } from "../../parts/notices";
import { State } from "../../parts/State";
import classes from "./Home.module.css";

const PATHS = 3;

export function AnomaliesCard({ anomalies }: { anomalies: readonly Anomaly[] }) {
  return (
    <Card title="Looks as if it were being destroyed">
      <ul className={classes.plain}>
        {anomalies.map((anomaly) => (
          <Row key={`${anomaly.repository}/${anomaly.id}`} anomaly={anomaly} />
        ))}
      </ul>
    </Card>
  );
}

function Row({ anomaly }: { anomaly: Anomaly }) {
  const [busy, setBusy] = useState("");
  const { state, word } = anomalyState(anomaly);
  const judge = async (confirmed: boolean) => {
    setBusy(confirmed ? "confirm" : "dismiss");
    try {
      await take(client.POST("/api/v1/anomalies/{anomaly}/judge", { params: { path: { anomaly: anomaly.id } }, body: { confirmed } }));
      for (const key of [keys.status, keys.points, keys.repositories]) void queryClient.invalidateQueries({ queryKey: key });
    } catch (error) {
      sayFailed(error);
    } finally {
      setBusy("");
    }
  };
  return (
    <li>
      <State state={state} label={word} />
      <div className={classes.grow}>
        <Text size="sm">
          <b>{visible(anomaly.dataset)}</b> in{" "}
          <Link href={to.repository(anomaly.repository)} className={classes.name}>
            {visible(anomaly.repository)}
          </Link>
          : {sentence(anomalyWords(anomaly))}
        </Text>
        <Text size="sm" c="dimmed">
          {anomaly.paths.length > 0 && <>{anomaly.paths.slice(0, PATHS).map(visible).join(", ")}. </>}
          Last clean <Moment time={anomaly.clean_at} />.
          {anomaly.hold_until && (
            <>
              {" "}
              What was before is held until <Moment time={anomaly.hold_until} />.
            </>
          )}
        </Text>
        <Group gap="xs" mt={6}>
          <Button component={Link} size="compact-sm" href={to.restore({ dataset: anomaly.dataset, point: cleanAddress(anomaly) })}>
            Go to the last clean moment
          </Button>
          <Button size="compact-sm" variant="default" disabled={busy !== ""} loading={busy === "confirm"} onClick={() => void judge(true)}>
            It was an attack
          </Button>
          <Button size="compact-sm" variant="default" disabled={busy !== ""} loading={busy === "dismiss"} onClick={() => void judge(false)}>
            It was a false alarm
          </Button>
        </Group>
      </div>
    </li>
  );
}
