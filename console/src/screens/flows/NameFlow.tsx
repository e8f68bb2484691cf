/** A name for a flow: a new one, or another for one there is. */
import { Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useDraft } from "../../draft/draft";
import { mappingAt } from "../../draft/edits";
import { FormDialog } from "../../parts/FormDialog";
import { nameProblem } from "../flow/changes";

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
    <FormDialog title={title} action={action} disabled={problem !== null} onSubmit={() => onName(typed.trim())} onClose={onClose}>
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
    </FormDialog>
  );
}
