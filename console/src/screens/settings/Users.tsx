/** Users: who there is, what each was granted, what that comes to; make one, grant, take back, disable, remove. */
import { Badge, Button, Group, Modal, PasswordInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { useMay } from "../../api/rights";
import { Card } from "../../parts/Card";
import { ConfirmByName } from "../../parts/ConfirmByName";
import { counted } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { act } from "../../parts/acting";
import { useGroups, useRoles } from "./reading";

type User = Schemas["UserView"];
const KEY = ["users"] as const;
const EVERYTHING = "everything";

export function Users() {
  const may = useMay();
  const users = useQuery({ queryKey: KEY, queryFn: ({ signal }) => take(client.GET("/api/v1/users", { signal })) });
  const [isNew, setNew] = useState(false);
  const rows = users.data?.users ?? [];
  return (
    <>
      {users.error && <Problem error={users.error} onRetry={() => void users.refetch()} />}
      <Card
        title={counted(rows.length, "user")}
        actions={
          may("access.manage") && (
            <Button size="xs" onClick={() => setNew(true)}>
              Add a user
            </Button>
          )
        }
      >
        <ul className={lines.list} aria-label="Users">
          {rows.map((user) => (
            <Row key={user.name} user={user} mayManage={may("access.manage")} />
          ))}
        </ul>
      </Card>
      {isNew && <NewUser onClose={() => setNew(false)} />}
    </>
  );
}

function Row({ user, mayManage }: { user: User; mayManage: boolean }) {
  const [open, setOpen] = useState<"" | "may" | "grant" | "remove">("");
  const params = { path: { user: user.name } };
  const toggle = () =>
    act(
      () => take(user.disabled ? client.POST("/api/v1/users/{user}/enable", { params }) : client.POST("/api/v1/users/{user}/disable", { params })),
      user.disabled ? `${user.name} is enabled` : `${user.name} is disabled`,
      KEY,
    );
  const remove = () => act(() => take(client.DELETE("/api/v1/users/{user}", { params })), `${user.name} is removed`, KEY);
  return (
    <li>
      <div className={lines.grow}>
        <Text size="sm" fw={600}>
          {user.name} {user.disabled && <Badge variant="default">disabled</Badge>}
          {user.directory && <Badge variant="default">of {user.directory}{user.vouched_until ? "" : ", not any more"}</Badge>}
        </Text>
        <Grants user={user} mayManage={mayManage} />
        {open === "may" && <May user={user.name} />}
      </div>
      <Group gap="xs">
        <Button size="xs" variant="default" aria-expanded={open === "may"} aria-label={`What can ${user.name} do?`} onClick={() => setOpen(open === "may" ? "" : "may")}>
          What can they do?
        </Button>
        {mayManage && (
          <>
            <Button size="xs" variant="default" aria-label={`Grant ${user.name} a role`} onClick={() => setOpen("grant")}>
              Grant a role
            </Button>
            <Button size="xs" variant="default" aria-label={`${user.disabled ? "Enable" : "Disable"} ${user.name}`} onClick={() => void toggle()}>
              {user.disabled ? "Enable" : "Disable"}
            </Button>
            <Button size="xs" variant="default" color="red" aria-label={`Remove ${user.name}`} onClick={() => setOpen("remove")}>
              Remove
            </Button>
          </>
        )}
      </Group>
      {open === "grant" && <NewGrant user={user.name} onClose={() => setOpen("")} />}
      {open === "remove" && (
        <ConfirmByName title={`Remove ${user.name}?`} name={user.name} action="Remove" onClose={() => setOpen("")} onConfirm={() => void remove()}>
          All tokens, sessions and grants of this user go. What they did stays in the audit log.
        </ConfirmByName>
      )}
    </li>
  );
}

function Grants({ user, mayManage }: { user: User; mayManage: boolean }) {
  if (user.grants.length === 0) return <Text size="sm">No role: may sign in and see nothing.</Text>;
  const takeBack = (grant: Schemas["Grant"]) =>
    act(() => take(client.DELETE("/api/v1/grants/{user}/{role}/{group}", { params: { path: { ...grant } } })), "The grant is taken back", KEY, ["access"]);
  return (
    <Group gap={6}>
      {user.grants.map((grant) => (
        <Badge
          key={`${grant.role} ${grant.group}`}
          variant="default"
          tt="none"
          rightSection={
            mayManage &&
            !grant.directory && (
              <Button size="compact-xs" variant="subtle" color="gray" aria-label={`Take back ${grant.role} on ${grant.group} from ${user.name}`} onClick={() => void takeBack(grant)}>
                ×
              </Button>
            )
          }
        >
          {grant.role} on {grant.group}
          {grant.directory && ", by its groups"}
        </Badge>
      ))}
    </Group>
  );
}

/** What it all comes to, as the Master decides it. */
function May({ user }: { user: string }) {
  const found = useQuery({ queryKey: ["access", user], queryFn: ({ signal }) => take(client.GET("/api/v1/access/of/{user}", { params: { path: { user } }, signal })) });
  if (found.error) return <Problem error={found.error} onRetry={() => void found.refetch()} />;
  const rows = found.data?.rows ?? [];
  if (found.data && rows.length === 0) return <Text size="sm">Nothing.</Text>;
  return (
    <ul aria-label={`What ${user} can do`}>
      {rows.map((row) => (
        <li key={row.activity}>
          {row.activity} on {row.everything ? EVERYTHING : [...row.nodes, ...row.flows, ...row.repositories, ...row.datasets].join(", ")} (role {row.roles.join(", ")})
        </li>
      ))}
    </ul>
  );
}

function NewUser({ onClose }: { onClose: () => void }) {
  const roles = useRoles();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [role, setRole] = useState<string | null>("viewer");
  const add = async () => {
    await take(client.POST("/api/v1/users", { body: { name, password } }));
    if (role) await take(client.POST("/api/v1/grants", { body: { user: name, role, group: EVERYTHING } }));
  };
  return (
    <Modal opened onClose={onClose} title="Add a user">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void act(add, `${name} can sign in`, KEY).then((isDone) => isDone && onClose());
        }}
      >
        <Stack gap="sm">
          <TextInput label="Name" value={name} onChange={(event) => setName(event.currentTarget.value)} autoComplete="off" required data-autofocus />
          <PasswordInput label="Password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} autoComplete="new-password" required visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }} />
          <Select label="Role on everything" data={roles.map((each) => each.name)} value={role} onChange={setRole} allowDeselect={false} clearable />
          <Button type="submit">Add</Button>
        </Stack>
      </form>
    </Modal>
  );
}

function NewGrant({ user, onClose }: { user: string; onClose: () => void }) {
  const roles = useRoles();
  const groups = useGroups();
  const [role, setRole] = useState<string | null>(null);
  const [group, setGroup] = useState<string | null>(EVERYTHING);
  const add = () => take(client.POST("/api/v1/grants", { body: { user, role: role ?? "", group: group ?? EVERYTHING } }));
  return (
    <Modal opened onClose={onClose} title={`Grant ${user} a role`}>
      <Stack gap="sm">
        <Select label="Role" data={roles.map((each) => each.name)} value={role} onChange={setRole} allowDeselect={false} />
        <Select label="On" data={groups.map((each) => each.name)} value={group} onChange={setGroup} allowDeselect={false} />
        <Button disabled={!role} onClick={() => void act(add, "Granted", KEY, ["access"]).then((isDone) => isDone && onClose())}>
          Grant
        </Button>
      </Stack>
    </Modal>
  );
}
