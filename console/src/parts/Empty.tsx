/** An empty state teaches: what would be here, and the one thing to do about it. */
import { Stack, Text, Title } from "@mantine/core";
import type { ComponentType, ReactNode } from "react";

interface EmptyProps {
  icon: ComponentType<{ size?: number; stroke?: number; color?: string; "aria-hidden"?: boolean }>;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Empty({ icon: Icon, title, children, action }: EmptyProps) {
  return (
    <Stack align="center" gap="xs" py={48} px="md" ta="center">
      <Icon size={40} stroke={1.4} aria-hidden color="var(--hf-line-strong)" />
      <Title order={2}>{title}</Title>
      <Text c="dimmed" size="sm" maw={460} mb={action ? 6 : 0} style={{ textWrap: "balance" }}>
        {children}
      </Text>
      {action}
    </Stack>
  );
}
