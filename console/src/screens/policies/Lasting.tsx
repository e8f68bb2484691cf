/** How long what follows every change is kept: any moment of a time (cdp), or so many versions of each file (version). */
import { SimpleGrid, Text } from "@mantine/core";
import { TextField } from "./fields";
import type { Operation } from "./policy";

export function Lasting({ policy, operation }: { policy: string; operation: Operation }) {
  const path = ["policies", policy, "operations", operation.name];
  const isCdp = operation.kind === "cdp";
  return (
    <div role="group" aria-label={`What ${operation.name} keeps`}>
      <SimpleGrid cols={{ base: 1, md: isCdp ? 2 : 3 }} spacing="sm">
        {!isCdp && <TextField label="Versions of each file" path={[...path, "last"]} placeholder="all" description="The newest so many, the one it has now counted." whole />}
        <TextField
          label="Within"
          path={[...path, "within"]}
          placeholder={isCdp ? "24h" : "for ever"}
          description={isCdp ? "Any moment of this time can be restored, counted back from now." : "A version goes when it was replaced longer ago."}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed" mt="xs">
        The mover that carries it is continuous by itself. Have a backup beside it: its full look proves that following missed nothing.
      </Text>
    </div>
  );
}
