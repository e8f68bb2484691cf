/** Which data a policy is about: folders, patterns and limits. */
import { Button, SimpleGrid, Stack, Text } from "@mantine/core";
import { IconFolderSearch } from "@tabler/icons-react";
import { useState } from "react";
import { useDraft } from "../../draft/draft";
import type { Step } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { FolderPicker } from "../../parts/FolderPicker";
import { diagnosticsIn } from "./diagnostics";
import { change, ChoiceField, OnField, TextField } from "./fields";
import { addItem, ListField } from "./ListField";
import classes from "./policies.module.css";
import type { Policy } from "./policy";

const MORE = [
  "larger_than", "smaller_than", "older_than", "newer_than", "types", "owners", "groups",
  "exclude_caches", "one_file_system", "granularity", "max_removed", "application", "consistent",
];

export function Classification({ policy, node }: { policy: Policy; node: string }) {
  const { diagnostics } = useDraft();
  const [isPicking, setPicking] = useState(false);
  const at = (key: string): Step[] => ["policies", policy.name, "classification", key];
  // Only at first: it must not close under somebody who clears a field.
  const [isOpen] = useState(() => MORE.some((key) => key in policy.classification || diagnosticsIn(diagnostics, at(key)).length > 0));
  return (
    <Card title="Which data">
      <Stack gap="md">
        <ListField
          label="Folders and files"
          item="path"
          path={at("paths")}
          placeholder="/srv/documents"
          description="Everything below them, on every node that uses this policy."
          optional={false}
          extra={
            <Button
              variant="default"
              leftSection={<IconFolderSearch size={18} aria-hidden />}
              aria-label="Browse for a folder"
              onClick={() => setPicking(true)}
            >
              Browse
            </Button>
          }
        />
        <ListField
          label="Leave out"
          item="pattern to leave out"
          path={at("exclude")}
          placeholder="*.tmp or .cache/"
          description="Patterns as in .gitignore: * is any name, ** any folders, a / at the end means folders, a ! in front takes it in again."
        />
        <ListField
          label="Take only"
          item="pattern to take"
          path={at("include")}
          placeholder="*.pdf"
          description="With none, everything is taken. With some, only files that one of them matches."
        />
        <details className={classes.details} open={isOpen}>
          <summary>Sizes, ages, owners and more</summary>
          <More at={at} />
        </details>
      </Stack>
      {isPicking && (
        <FolderPicker
          node={node}
          onClose={() => setPicking(false)}
          onPick={(path) => {
            setPicking(false);
            if (!policy.paths.includes(path)) change(addItem(policy.paths, at("paths"), path), `Add path ${path}`);
          }}
        />
      )}
    </Card>
  );
}

function More({ at }: { at: (key: string) => Step[] }) {
  return (
    <Stack gap="md" mt="sm">
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <TextField label="Only larger than" path={at("larger_than")} placeholder="4KiB" />
        <TextField label="Only smaller than" path={at("smaller_than")} placeholder="2GiB" />
        <TextField label="Only unchanged for" path={at("older_than")} placeholder="1m" />
        <TextField label="Only changed within" path={at("newer_than")} placeholder="30d" />
      </SimpleGrid>
      <ListField label="Only these kinds of file" item="name ending" path={at("types")} placeholder="pdf or tar.gz" />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <ListField label="Only files of these users" item="user" path={at("owners")} placeholder="anna, 1000 or @staff" />
        <ListField label="Only files of these groups" item="group" path={at("groups")} placeholder="staff or 100" />
      </SimpleGrid>
      <OnField
        label="Leave out caches"
        path={at("exclude_caches")}
        description="Folders that say of themselves, with a CACHEDIR.TAG, that they can be made anew."
      />
      <OnField label="Stay on one file system" path={at("one_file_system")} description="Do not go into what is mounted below the folders." />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <ChoiceField
          label="How finely files are cut"
          path={at("granularity")}
          description="Fine finds more that is alike; coarse is faster with large files."
          choices={[
            ["", "As is best (auto)"],
            ["coarse", "Coarse"],
            ["fine", "Fine"],
          ]}
        />
        <TextField
          label="Stop when so much is gone"
          path={at("max_removed")}
          placeholder="50%"
          description="The share of entries that may vanish between two runs. 100% turns this guard off."
        />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <ChoiceField
          label="Databases among the files"
          path={at("application")}
          description="Those of SQLite are taken as of one moment, while their programs write to them."
          choices={[
            ["", "As files like others"],
            ["sqlite", "SQLite, consistent"],
          ]}
        />
        <ChoiceField
          label="All of one moment"
          path={at("consistent")}
          description="Backups read from a snapshot of btrfs: as after a power cut, but at one moment."
          choices={[
            ["", "Read in place"],
            ["snapshot", "By a snapshot"],
          ]}
        />
      </SimpleGrid>
      <Text size="xs" c="dimmed">
        Sizes are written like 4KiB, 50MB or 1.5GiB, times like 90s, 5m, 1h, 30d, 2w or 7y.
      </Text>
    </Stack>
  );
}
