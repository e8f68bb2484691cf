/** A name for a flow: a new one, or another for one there is. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { nameProblem } from "../flow/changes";
import { submits } from "../flow/forms";

interface NameFlowProps {
  title: string;
  name?: string;
  action: string;
  children?: ReactNode;
  onName: (name: string) => void;
  onClose: () => void;
}

export function NameFlow({ title, name = "", action, children, onName, onClose }: NameFlowProps) {
  const { values } = useDraft();
  const [typed, setTyped] = useState(name);
  const problem = nameProblem(typed.trim(), Object.keys(mappingAt(values, ["flows"])));
  const isShown = typed !== "" && typed !== name;
  return (
    <Modal opened onClose={onClose} title={title}>
      <form onSubmit={submits(() => problem === null && onName(typed.trim()))}>
        <Stack gap="sm">
          <TextInput
            label="Name"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            error={isShown ? problem : undefined}
            autoComplete="off"
            data-autofocus
          />
          {children && (
            <Text size="sm" c="dimmed" component="div">
              {children}
            </Text>
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={problem !== null}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
