/** Ask for another name, and say at once when it cannot be one. */
import { Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { FormDialog } from "../../parts/FormDialog";
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
    <FormDialog
      title={title}
      action="Rename"
      disabled={problem !== ""}
      onSubmit={() => {
        onClose();
        if (typed !== name) onRename(typed);
      }}
      onClose={onClose}
    >
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
    </FormDialog>
  );
}
