/** The frame of a screen: title, a line that says what it is for, its main actions, and how to do the same without the console. */
import { Box, Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { Equivalent } from "./Equivalent";
import classes from "./Page.module.css";

interface PageProps {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  /** The command that shows or does the same. */
  cli?: string;
  /** The API call behind it, like `GET /api/v1/status`. */
  api?: string;
  /** For screens that fill the window, like the canvas. */
  full?: boolean;
  children: ReactNode;
}

export function Page({ title, lead, actions, cli, api, full = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
  return (
    <div className={full ? classes.full : classes.page}>
      <Group justify="space-between" align="flex-start" wrap="wrap" gap="sm" className={classes.head}>
        <Box className={lead ? classes.words : undefined}>
          <Title order={1}>{title}</Title>
          {lead && (
            <Text c="dimmed" size="sm" maw={720} className={classes.lead}>
              {lead}
            </Text>
          )}
        </Box>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
      {(cli || api) && <Equivalent cli={cli} api={api} />}
    </div>
  );
}
