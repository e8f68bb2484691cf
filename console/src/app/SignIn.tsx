/** Sign in: once, and again when a session has ended; the page behind it stays as it was. */
import { Button, Card, Center, Code, Divider, NativeSelect, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { client, take } from "../api/client";
import { useHealth } from "../api/queries";
import { useTrying } from "../parts/acting";
import { Problem } from "../parts/Problem";
import { takeBrought } from "./arrival";
import { leaveFor, type Way } from "./directories";
import { Logo } from "./Logo";

const LOCAL = "";
const useWays = () => useQuery({ queryKey: ["sign-in-ways"], queryFn: () => take(client.GET("/api/v1/session/ways")), staleTime: Infinity });

export default function SignIn({ ended = false, onDone }: { ended?: boolean; onDone: () => void }) {
  const health = useHealth();
  const ways = useWays().data?.directories ?? [];
  const { busy, error, attempt } = useTrying();

  const trying = (what: () => Promise<unknown>, then: () => void) =>
    attempt(async () => {
      await what();
      then();
    });
  const signIn = (user: string, password: string, directory: string, code = "") =>
    trying(() => take(client.POST("/api/v1/session", { body: { user, password, code, directory } })), onDone);

  useEffect(() => {
    const { code, answer } = takeBrought();
    if (code) void signIn("", "", LOCAL, code);
    else if (answer) void trying(() => take(client.POST("/api/v1/session/directory/return", { body: answer })), onDone);
    // Once, whatever is drawn anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return (
    <Center mih="100%" p="md" component="main">
      <Card withBorder shadow="sm" padding="xl" w={400} maw="100%">
        <Stack>
          <Logo />
          <div>
            <Title order={1}>Sign in</Title>
            <Text c="dimmed" size="sm">
              {ended ? "Your session has ended. Nothing of what you had open is lost." : `Environment ${health.data?.environment ?? "…"}`}
            </Text>
          </div>
          {error !== null && <Problem error={error} />}
          <Elsewhere ways={ways} busy={busy} onChosen={(way) => void trying(() => leaveFor(way), () => undefined)} />
          <ByPassword ways={ways} busy={busy} failed={error} onSignIn={(...typed) => void signIn(...typed)} />
          <Text size="xs" c="dimmed">
            First time here, or the password is lost? On the Master&apos;s machine, <Code>holdfast console</Code> prints a link that signs you
            in once, and <Code>holdfast master password</Code> sets a new password.
          </Text>
        </Stack>
      </Card>
    </Center>
  );
}

/** A button for each provider at whose own page one signs in. */
function Elsewhere({ ways, busy, onChosen }: { ways: readonly Way[]; busy: boolean; onChosen: (way: Way) => void }) {
  const elsewhere = ways.filter((way) => way.browser);
  if (elsewhere.length === 0) return null;
  return (
    <>
      {elsewhere.map((way) => (
        <Button key={way.name} variant="default" loading={busy} onClick={() => onChosen(way)}>
          Sign in with {way.title}
        </Button>
      ))}
      <Divider label="or with a password" />
    </>
  );
}

interface ByPasswordProps {
  ways: readonly Way[];
  busy: boolean;
  failed: unknown;
  onSignIn: (user: string, password: string, directory: string) => void;
}

function ByPassword({ ways, busy, failed, onSignIn }: ByPasswordProps) {
  const asked = ways.filter((way) => !way.browser);
  const [user, setUser] = useState("admin");
  const [password, setPassword] = useState("");
  const [directory, setDirectory] = useState(LOCAL);
  useEffect(() => {
    if (failed !== null) setPassword("");
  }, [failed]);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onSignIn(user, password, directory);
      }}
    >
      <Stack>
        {asked.length > 0 && (
          <NativeSelect
            label="Account of"
            data={[{ value: LOCAL, label: "this Master" }, ...asked.map((way) => ({ value: way.name, label: way.title }))]}
            value={directory}
            onChange={(event) => setDirectory(event.currentTarget.value)}
          />
        )}
        <TextInput label="User" value={user} onChange={(e) => setUser(e.currentTarget.value)} autoComplete="username" required withAsterisk={false} />
        <PasswordInput
          label="Password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          autoComplete="current-password"
          required
          withAsterisk={false}
          data-autofocus
          autoFocus
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
        />
        <Button type="submit" loading={busy}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
