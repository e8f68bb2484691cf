/** A dialog that asks for something: its fields, and below them what leaves it and what does it. */
import { Button, Group, Modal, type ModalProps, Stack } from "@mantine/core";
import type { ReactNode } from "react";

interface FormDialogProps {
  title: string;
  children: ReactNode;
  action: string;
  /** What leaves it is called. */
  leave?: string;
  disabled?: boolean;
  busy?: boolean;
  color?: string;
  size?: ModalProps["size"];
  gap?: "sm" | "md";
  onSubmit: () => void;
  onClose: () => void;
}

export function FormDialog({ title, children, action, leave = "Cancel", disabled, busy, color, size, gap = "sm", onSubmit, onClose }: FormDialogProps) {
  return (
    <Modal opened onClose={onClose} title={title} size={size}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!disabled) onSubmit();
        }}
      >
        <Stack gap={gap}>
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {leave}
            </Button>
            <Button type="submit" color={color} disabled={disabled} loading={busy}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
