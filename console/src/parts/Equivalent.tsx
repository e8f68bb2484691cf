/** How to do the same from the command line or a script. */
import { ActionIcon, Code, CopyButton, Group, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import classes from "./Equivalent.module.css";

export function Equivalent({ cli, api }: { cli?: string | undefined; api?: string | undefined }) {
  return (
    <footer className={classes.row}>
      <Text size="xs" c="dimmed">
        The same without the console
      </Text>
      {cli && <Copyable text={cli} what="command" />}
      {api && <Copyable text={api} what="API call" />}
    </footer>
  );
}

/** A text to be copied, in one line. */
export function Copyable({ text, what }: { text: string; what: string }) {
  return (
    <Group gap={4} wrap="nowrap" className={classes.copyable}>
      <Code className={classes.code}>{text}</Code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Tooltip label={copied ? "Copied" : `Copy the ${what}`}>
            <ActionIcon variant="subtle" size="md" color="gray" onClick={copy} aria-label={`Copy the ${what}`}>
              {copied ? <IconCheck size={16} /> : <IconCopy size={16} />}
            </ActionIcon>
          </Tooltip>
        )}
      </CopyButton>
    </Group>
  );
}
