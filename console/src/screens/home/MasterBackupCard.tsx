/** The Master's own backup, as home shows it: what is missing first. Who may not see it sees no card. */
import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { client, take } from "../../api/client";
import { Card } from "../../parts/Card";
import { sentence, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { State } from "../../parts/State";
import classes from "./Home.module.css";

const EVERY_MS = 60_000;

export function MasterBackupCard() {
  const { data } = useQuery({
    queryKey: ["master-backup"],
    queryFn: ({ signal }) => take(client.GET("/api/v1/master/backup", { signal })),
    refetchInterval: EVERY_MS,
    retry: false,
  });
  if (!data) return null;
  return (
    <Card title="The Master's own backup">
      <ul className={classes.plain}>
        {data.findings.map((finding) => (
          <li key={finding.code}>
            <State state={finding.severity === "error" ? "failed" : "warning"} label={finding.severity === "error" ? "Error" : "Missing"} />
            <Text size="sm" className={classes.grow}>
              {sentence(visible(finding.message))} {sentence(visible(finding.hint))}
            </Text>
          </li>
        ))}
        {data.kept.map((kept) => (
          <li key={`${kept.dataset} ${kept.repository}`}>
            <State state={kept.last_at ? "ok" : "unknown"} label={kept.last_at ? "Kept" : "Not yet"} />
            <Text size="sm" className={classes.grow}>
              In {visible(kept.repository)} on {visible(kept.repository_node)}
            </Text>
            <Text size="sm" c="dimmed">
              <Moment time={kept.last_at} ago never="no point yet" />
            </Text>
          </li>
        ))}
      </ul>
      {data.export && (
        <Text size="sm" c="dimmed" mt="sm">
          Newest export, read back and proven: <Moment time={data.export.proven_at} ago />
        </Text>
      )}
      {data.restoration && (
        <Text size="sm" c="dimmed">
          This Master was restored from a backup of <Moment time={data.restoration.export_at} />.
        </Text>
      )}
    </Card>
  );
}
