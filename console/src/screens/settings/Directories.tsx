/** Directories by which people sign in, as the Master's configuration has them: how they are asked, what their groups bring, a test. */
import { Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, type Schemas, take } from "../../api/client";
import { useMay } from "../../api/rights";
import { useTrying } from "../../parts/acting";
import { Card } from "../../parts/Card";
import { formatDuration } from "../../parts/format";
import { Problem } from "../../parts/Problem";
import lines from "../../parts/Rows.module.css";
import { State } from "../../parts/State";

type Directory = Schemas["DirectoryView"];
type Check = Schemas["DirectoryCheck"];

export function Directories() {
  const found = useQuery({ queryKey: ["directories"], queryFn: ({ signal }) => take(client.GET("/api/v1/directories", { signal })) });
  const known = found.data?.directories ?? [];
  return (
    <Stack>
      {found.error && <Problem error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && known.length === 0 && (
        <Card title="Local accounts alone">
          <Text size="sm">
            People sign in with passwords of this Master. An OpenID provider or an LDAP server can be added in <Code>config.json</Code> on its machine; the page{" "}
            <Code>docs/directories.md</Code> says how.
          </Text>
        </Card>
      )}
      {known.map((each) => (
        <One key={each.name} directory={each} />
      ))}
    </Stack>
  );
}

function One({ directory }: { directory: Directory }) {
  const may = useMay();
  const vouched = `What it says of a user holds for ${formatDuration(directory.vouch_s)}`;
  const again = directory.check_every_s === null ? "users are looked at when they sign in" : `users are looked up again every ${formatDuration(directory.check_every_s)}`;
  return (
    <Card title={`${directory.title} (${directory.name}, ${directory.kind === "oidc" ? "OpenID" : "LDAP"})`}>
      <Stack gap="sm">
        <Text size="sm">
          <Code>{directory.place}</Code> {directory.finds.join("; ")}
        </Text>
        <Text size="sm">
          {vouched}; {again}.
        </Text>
        <ul className={lines.list} aria-label={`What groups of ${directory.name} bring`}>
          {directory.roles.map((row) => (
            <li key={`${row.group} ${row.role} ${row.on}`}>
              <Text size="sm">
                {row.group === "*" ? "everybody it knows" : row.group}: {row.role} on {row.on}
              </Text>
            </li>
          ))}
        </ul>
        {directory.roles.length === 0 && <Text size="sm">No group brings a grant: only who is granted something here comes in.</Text>}
        {may("access.manage") && <Try directory={directory} />}
      </Stack>
    </Card>
  );
}

/** Whether it answers and fits; with a user, whom it finds there. */
function Try({ directory }: { directory: Directory }) {
  const [user, setUser] = useState("");
  const [checks, setChecks] = useState<readonly Check[]>([]);
  const { busy, error, attempt } = useTrying();
  const check = () =>
    attempt(async () => {
      setChecks((await take(client.POST("/api/v1/directories/{directory}/check", { params: { path: { directory: directory.name } }, body: { user } }))).checks);
    });
  return (
    <>
      <Group align="end">
        {directory.kind === "ldap" && <TextInput label="User to look up" value={user} onChange={(event) => setUser(event.currentTarget.value)} autoComplete="off" />}
        <Button variant="default" loading={busy} onClick={() => void check()}>
          Test {directory.title}
        </Button>
      </Group>
      {error !== null && <Problem error={error} />}
      {checks.length > 0 && (
        <ul className={lines.list} aria-label={`Test of ${directory.name}`}>
          {checks.map((each) => (
            <li key={each.name}>
              <State state={each.problem ? "failed" : "ok"} label={each.name} />
              <Text size="sm" className={lines.grow}>
                {each.problem ? `${each.problem}. ${each.hint}` : each.told}
              </Text>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
