/** Before something is lost: what, in numbers, and its name typed once. */
import { Code, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { FormDialog } from "./FormDialog";

interface ConfirmByNameProps {
  title: string;
  /** What must be typed. */
  name: string;
  /** What is lost and what is not. */
  children: ReactNode;
  action: string;
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

export function ConfirmByName({ title, name, children, action, busy = false, onConfirm, onClose }: ConfirmByNameProps) {
  const [typed, setTyped] = useState("");
  return (
    <FormDialog
      title={title}
      action={action}
      leave="Keep it"
      color="red"
      disabled={typed !== name}
      busy={busy}
      onSubmit={onConfirm}
      onClose={onClose}
    >
      <Text size="sm" component="div">
        {children}
      </Text>
      <TextInput
        label={
          <>
            Type <Code>{name}</Code> to go on
          </>
        }
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
        data-autofocus
      />
    </FormDialog>
  );
}
