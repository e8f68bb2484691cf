/** Ask for another name, and say at once when it cannot be one. */
import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { nameProblem } from "./policy";

interface RenameDialogProps {
  title: string;
  name: string;
  taken: readonly string[];
  children: ReactNode;
  onRename: (name: string) => void;
  onClose: () => void;
}

export function RenameDialog({ title, name, taken, children, onRename, onClose }: RenameDialogProps) {
  const [typed, setTyped] = useState(name);
  const problem = typed === name ? "" : nameProblem(typed, taken);
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (problem) return;
          onClose();
          if (typed !== name) onRename(typed);
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="New name"
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            error={problem}
            data-autofocus
            autoComplete="off"
          />
          <Text size="sm" c="dimmed">
            {children}
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" disabled={problem !== ""}>
              Rename
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
