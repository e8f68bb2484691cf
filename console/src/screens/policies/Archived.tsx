/** Which files an archive operation moves to the repository, how long it keeps them, and what it leaves in their place. */
import { SimpleGrid, Text } from "@mantine/core";
import { ChoiceField, TextField } from "./fields";
import type { Operation } from "./policy";

const LEAVES = [
  ["", "a stub: a link that recalls it when it is opened"],
  ["copy", "the file itself"],
  ["nothing", "nothing"],
] as const;

export function Archived({ policy, operation }: { policy: string; operation: Operation }) {
  const path = ["policies", policy, "operations", operation.name];
  return (
    <div role="group" aria-label={`What ${operation.name} takes`}>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <TextField label="Not changed for" path={[...path, "when", "older_than"]} placeholder="365d" description="Files that were changed since stay where they are." />
        <TextField label="Larger than" path={[...path, "when", "larger_than"]} placeholder="any size" description="Smaller files stay where they are." />
        <TextField label="Kept for" path={[...path, "keep"]} placeholder="for ever" description="Counted from the day a file was archived. A legal hold keeps it longer." />
        <ChoiceField label="Leaves" path={[...path, "leave"]} choices={LEAVES} description="A file leaves the source only when every byte of it was read back." />
      </SimpleGrid>
      <Text size="xs" c="dimmed" mt="xs">
        Files that a program has open, or that have several names, stay. Nothing that was archived is opened by a backup or a mirror.
      </Text>
    </div>
  );
}
