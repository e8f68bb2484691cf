/** The datasets that are followed, as home shows them. */
import { Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { type Followed, summaryWords } from "../../parts/following";
import { FollowedList } from "../../parts/FollowedList";

const SHOWN = 5;

export function FollowedCard({ rows }: { rows: readonly Followed[] }) {
  return (
    <Card title="Followed as they change">
      <Text size="sm" mb="sm">
        {summaryWords(rows)}
      </Text>
      <FollowedList rows={rows} most={SHOWN} />
    </Card>
  );
}
