/** Who can open it. Keys never come over the Master: what is to be done is a command on the owner's machine. */
import { Stack, Text } from "@mantine/core";
import { Card } from "../../parts/Card";
import { Copyable } from "../../parts/Equivalent";
import { counted, shellWord, visible } from "../../parts/format";
import { State } from "../../parts/State";
import { kitOf, type Repository } from "./figures";

export function Keys({ row }: { row: Repository }) {
  const kit = kitOf(row);
  const name = shellWord(row.name);
  return (
    <Card title="Keys">
      <Stack gap="sm">
        <div>
          <State state={kit.state} label={kit.word} />
        </div>
        <Text size="sm">{kit.text}</Text>
        {kit.command && (
          <>
            <Text size="sm">On {visible(row.node)}, as the user that runs the agent:</Text>
            <Copyable text={`holdfast repository key kit ${name}${kit.command === "acknowledge" ? " --acknowledge" : ""}`} what="command" />
          </>
        )}
        {row.kit !== null && (
          <Text size="sm">
            {counted(row.key_slots, "password opens", "passwords open")} it. Which they are, adding, removing and a new one for the machine:
          </Text>
        )}
        <Copyable text={`holdfast repository key ls ${name}`} what="command" />
        <Text size="xs" c="dimmed">
          Keys stay on {visible(row.node)}; neither the Master nor this page ever has one, so there is no button for it here.
        </Text>
      </Stack>
    </Card>
  );
}
