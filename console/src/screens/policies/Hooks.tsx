/** Scripts of the machine that run before and after each run. */
import { SimpleGrid, Stack, Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { TextField } from "./fields";

export function Hooks({ policy }: { policy: string }) {
  const path = ["policies", policy, "hooks"];
  return (
    <Card title="Before and after">
      <Stack gap="sm">
        <Text size="sm" c="dimmed">
          Names of scripts that the node runs around each run, to dump a database, say. They lie on the machine itself, in the one directory
          that its root has allowed for them in limits.toml; nothing else is ever run.
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
          <TextField label="Before" path={[...path, "before"]} placeholder="none" />
          <TextField label="After" path={[...path, "after"]} placeholder="none" />
          <TextField label="Give up after" path={[...path, "timeout"]} placeholder="5m" />
        </SimpleGrid>
      </Stack>
    </Card>
  );
}
