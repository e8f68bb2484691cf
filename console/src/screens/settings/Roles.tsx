/** Roles and the groups of resources they are granted on; both can be made and removed, those that are built in stay. */
import { Button, Modal, MultiSelect, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { useMay } from "../../api/rights";
import { Card } from "../../parts/Card";
import lines from "../../parts/Rows.module.css";
import { act } from "../../parts/acting";
import { GROUPS_KEY, ROLES_KEY, useActivities, useGroups, useRoles } from "./reading";

export function Roles() {
  const mayManage = useMay()("access.manage");
  const [open, setOpen] = useState<"" | "role" | "group">("");
  const add = (what: "role" | "group", label: string) =>
    mayManage && (
      <Button size="xs" onClick={() => setOpen(what)}>
        {label}
      </Button>
    );
  return (
    <Stack>
      <Card title="Roles" actions={add("role", "Make a role")}>
        <RoleRows mayManage={mayManage} />
      </Card>
      <Card title="Resource groups" actions={add("group", "Make a group")}>
        <GroupRows mayManage={mayManage} />
      </Card>
      {open === "role" && <NewRole onClose={() => setOpen("")} />}
      {open === "group" && <NewGroup onClose={() => setOpen("")} />}
    </Stack>
  );
}

function RoleRows({ mayManage }: { mayManage: boolean }) {
  const remove = (role: string) => act(() => take(client.DELETE("/api/v1/roles/{role}", { params: { path: { role } } })), `The role ${role} is removed`, ROLES_KEY);
  return (
    <ul className={lines.list} aria-label="Roles">
      {useRoles().map((role) => (
        <li key={role.name}>
          <div className={lines.grow}>
            <Text size="sm" fw={600}>
              {role.name}
            </Text>
            <Text size="sm" c="dimmed">
              {role.activities.join(", ")}
            </Text>
          </div>
          {mayManage && !role.builtin && (
            <Button size="xs" variant="default" aria-label={`Remove the role ${role.name}`} onClick={() => void remove(role.name)}>
              Remove
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What is in a group, in words. */
function contentOf(group: Schemas["GroupView"]): string {
  if (group.everything) return "everything, now and later";
  const parts = [
    ["nodes", group.nodes],
    ["node groups", group.node_groups],
    ["tags", group.tags],
    ["flows", group.flows],
    ["repositories", group.repositories],
    ["datasets", group.datasets],
  ] as const;
  return parts.filter(([, names]) => names.length > 0).map(([kind, names]) => `${kind} ${names.join(", ")}`).join("; ") || "nothing yet";
}

function GroupRows({ mayManage }: { mayManage: boolean }) {
  const remove = (group: string) => act(() => take(client.DELETE("/api/v1/resource-groups/{group}", { params: { path: { group } } })), `The group ${group} is removed`, GROUPS_KEY);
  return (
    <ul className={lines.list} aria-label="Resource groups">
      {useGroups().map((group) => (
        <li key={group.name}>
          <div className={lines.grow}>
            <Text size="sm" fw={600}>
              {group.name}
            </Text>
            <Text size="sm" c="dimmed">
              {contentOf(group)}
            </Text>
          </div>
          {mayManage && !group.everything && (
            <Button size="xs" variant="default" aria-label={`Remove the group ${group.name}`} onClick={() => void remove(group.name)}>
              Remove
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

function NewRole({ onClose }: { onClose: () => void }) {
  const activities = useActivities();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string[]>([]);
  const add = () => take(client.PUT("/api/v1/roles/{role}", { params: { path: { role: name } }, body: { activities: chosen } }));
  return (
    <Modal opened onClose={onClose} title="Make a role">
      <Stack gap="sm">
        <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} autoComplete="off" data-autofocus />
        <MultiSelect label="Activities" data={activities.map((each) => ({ value: each.name, label: `${each.name}: ${each.meaning}` }))} value={chosen} onChange={setChosen} searchable />
        <Button disabled={!name || chosen.length === 0} onClick={() => void act(add, `There is a role ${name}`, ROLES_KEY).then((isDone) => isDone && onClose())}>
          Make it
        </Button>
      </Stack>
    </Modal>
  );
}

const KINDS = [
  ["nodes", "Nodes"],
  ["node_groups", "Node groups"],
  ["tags", "Tags of nodes"],
  ["flows", "Flows"],
  ["repositories", "Repositories"],
  ["datasets", "Datasets, as NODE/POLICY or */POLICY"],
] as const;
type Names = Record<(typeof KINDS)[number][0], string[]>;

function NewGroup({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [names, setNames] = useState<Names>({ nodes: [], node_groups: [], tags: [], flows: [], repositories: [], datasets: [] });
  const add = () => take(client.PUT("/api/v1/resource-groups/{group}", { params: { path: { group: name } }, body: names }));
  return (
    <Modal opened onClose={onClose} title="Make a group">
      <Stack gap="sm">
        <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} autoComplete="off" data-autofocus />
        {KINDS.map(([kind, label]) => (
          <TagsInput key={kind} label={label} value={names[kind]} onChange={(chosen) => setNames({ ...names, [kind]: chosen })} />
        ))}
        <Button disabled={!name} onClick={() => void act(add, `There is a group ${name}`, GROUPS_KEY).then((isDone) => isDone && onClose())}>
          Make it
        </Button>
      </Stack>
    </Modal>
  );
}
