/** What is done with the data: the operations of a policy, each with its schedule and what stays. */
import { ActionIcon, Badge, Button, Group, Menu, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { IconDots, IconListCheck, IconPlus } from "@tabler/icons-react";
import { useState } from "react";
import { useStatus } from "../../api/queries";
import { useDraft } from "../../draft/draft";
import { freeName } from "../../draft/edits";
import { Card } from "../../parts/Card";
import { Empty } from "../../parts/Empty";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { newOperation, removeOperation, renameOperation } from "./changes";
import { Archived } from "./Archived";
import { change } from "./fields";
import { Keep } from "./Keep";
import { Lasting } from "./Lasting";
import classes from "./policies.module.css";
import { KINDS, kindTitle, makesPoints, type Operation, type Policy } from "./policy";
import { Removed } from "./Removed";
import { RenameDialog } from "./RenameDialog";
import { Rhythm } from "./Rhythm";
import { useInForce } from "./UsedIn";
import { archivedWords, keepWords, lastingWords, removedWords, rhythmOf, scheduleWords } from "./words";

export function Operations({ policy }: { policy: Policy }) {
  return (
    <Card title="What is done with it" actions={<Add policy={policy} />} flush>
      {policy.operations.length === 0 && (
        <Empty icon={IconListCheck} title="Nothing yet">
          A backup keeps points in a repository, to which you can go back. A mirror keeps a plain copy of the folders on another node. Add one.
        </Empty>
      )}
      {policy.operations.map((operation) => (
        <OperationPart key={operation.name} policy={policy} operation={operation} />
      ))}
    </Card>
  );
}

function Add({ policy }: { policy: Policy }) {
  const add = (kind: string) => {
    const name = freeName(kind, policy.operations.map((each) => each.name));
    change(newOperation(policy.name, name, kind), `Add ${name} to ${policy.name}`);
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button size="xs" variant="light" leftSection={<IconPlus size={16} aria-hidden />}>
          Add
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {KINDS.map(({ kind, title, goesTo }) => (
          <Menu.Item key={kind} onClick={() => add(kind)}>
            {title}, to {goesTo}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function OperationPart({ policy, operation }: { policy: Policy; operation: Operation }) {
  const { name, kind, fields } = operation;
  const hasPoints = makesPoints(kind);
  const lasting = lastingWords(kind, fields);
  const stays = lasting ?? (hasPoints ? `keeps ${keepWords(fields.keep)}` : kind === "replicate" ? removedWords(fields.removed) : kind === "archive" ? archivedWords(fields) : "");
  return (
    <section className={classes.operation} aria-label={`Operation ${name}`}>
      <Group justify="space-between" align="flex-start" wrap="nowrap" mb="sm">
        <div className={classes.wrap}>
          <Group gap="xs">
            <Title order={3}>{visible(name)}</Title>
            <Badge variant="light" tt="none">
              {visible(kindTitle(kind))}
            </Badge>
          </Group>
          <Text size="sm" c="dimmed">
            {lasting === null ? `Runs ${visible(scheduleWords(fields))}` : "Follows every change as it happens"}
            {stays && `; ${visible(stays)}`}. <Next policy={policy} operation={name} />
          </Text>
        </div>
        <OperationMenu policy={policy} operation={name} />
      </Group>
      <Stack gap="md">
        {lasting !== null && <Lasting policy={policy.name} operation={operation} />}
        <SimpleGrid cols={{ base: 1, md: hasPoints ? 1 : 2 }} spacing="lg">
          {(lasting === null || rhythmOf(fields) !== "rides") && <Rhythm policy={policy} operation={operation} wide={hasPoints} />}
          {kind === "replicate" && <Removed policy={policy.name} operation={operation} />}
        </SimpleGrid>
        {kind === "archive" && <Archived policy={policy.name} operation={operation} />}
        {hasPoints && <Keep policy={policy} operation={operation} />}
      </Stack>
    </section>
  );
}

/** When it is due next on any node, as the nodes say: by what is in force, which an edit does not change. */
function Next({ policy, operation }: { policy: Policy; operation: string }) {
  const { data } = useStatus();
  const { name } = useInForce(policy);
  const due = (data?.protections ?? [])
    .filter((each) => each.operation === operation && each.dataset.endsWith(`/${name}`))
    .flatMap((each) => each.due_at ?? [])
    .sort();
  const [first] = due;
  if (first === undefined) return null;
  return (
    <>
      Next run, by what is in force: <Moment time={first} ago />.
    </>
  );
}

function OperationMenu({ policy, operation }: { policy: Policy; operation: string }) {
  const { values } = useDraft();
  const [isRenaming, setRenaming] = useState(false);
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`More about ${operation}`}>
            <IconDots size={18} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setRenaming(true)}>Rename …</Menu.Item>
          <Menu.Item
            color="red"
            onClick={() => change(removeOperation(values, policy.name, operation), `Remove ${operation} from ${policy.name}`)}
          >
            Remove (points stay; Undo brings it back)
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isRenaming && (
        <RenameDialog
          title={`Rename ${operation}`}
          name={operation}
          taken={policy.operations.map((each) => each.name)}
          onClose={() => setRenaming(false)}
          onRename={(to) => change(renameOperation(values, policy.name, operation, to), `Rename ${operation} to ${to}`)}
        >
          Movers that carry it follow in the same step.
        </RenameDialog>
      )}
    </>
  );
}
