/** Filling a far repository from a carried disk: the commands of both ends, and until which point that brought it. */
import { Stack, Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { shellWord, visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import type { Repository } from "./figures";

export function Seeding({ row }: { row: Repository }) {
  const name = shellWord(row.name);
  return (
    <Card title="Filled from a carried disk">
      <Stack gap="sm">
        {row.seeds.map((seed) => (
          <Text key={seed.dataset} size="sm">
            <b>{visible(seed.dataset)}</b> is seeded until the point of <Moment time={seed.until} />, from {visible(seed.sender)}, taken in <Moment time={seed.at} ago />.
          </Text>
        ))}
        {row.seeds.length === 0 && <Text size="sm">A first copy that would take weeks over a line takes a day on a disk. Nothing here came that way.</Text>}
        <Text size="sm">On {visible(row.node)}: what the movers from here carry on, to a disk; with --dry-run only how many points that would be.</Text>
        <Copyable text={`holdfast repository seed export ${name} /media/disk/seed --dry-run`} what="command" />
        <Text size="sm">What a disk from elsewhere brings, into this repository:</Text>
        <Copyable text={`holdfast repository seed import ${name} /media/disk/seed --dry-run`} what="command" />
        <Text size="xs" c="dimmed">
          Both need the disk at that machine, and its password, which opens all that lies on it and never comes to the Master: so there is no button for it here. Each goes on where it was broken off.
        </Text>
      </Stack>
    </Card>
  );
}
