/** Sign in: once, and again when a session has ended; the page behind it stays as it was. */
import { Button, Card, Center, Code, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useEffect, useState } from "react";
import { client, type Schemas, take } from "../api/client";
import { useHealth } from "../api/queries";
import { Problem } from "../parts/Problem";
import { Logo } from "./Logo";

/** The code of a link of `holdfast console`: behind the #, which never reaches a log. It leaves the address bar at once. */
let linkCode = new URLSearchParams(window.location.hash.slice(1)).get("signin");
if (linkCode) window.history.replaceState(null, "", window.location.pathname + window.location.search);

export function SignIn({ ended = false, onDone }: { ended?: boolean; onDone: () => void }) {
  const health = useHealth();
  const [user, setUser] = useState("admin");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);

  const signIn = async (body: Schemas["SessionWanted"]) => {
    setBusy(true);
    setError(null);
    try {
      await take(client.POST("/api/v1/session", { body }));
      onDone();
    } catch (failure) {
      setError(failure);
      setPassword("");
    } finally {
      setBusy(false);
    }
  };

  useEffect(() => {
    if (!linkCode) return;
    const code = linkCode;
    linkCode = null;
    void signIn({ user: "", password: "", code });
    // Once, whatever is drawn anew.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return (
    <Center mih="100%" p="md" component="main">
      <Card withBorder shadow="sm" padding="xl" w={400} maw="100%">
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void signIn({ user, password, code: "" });
          }}
        >
          <Stack>
            <Logo />
            <div>
              <Title order={1}>Sign in</Title>
              <Text c="dimmed" size="sm">
                {ended ? "Your session has ended. Nothing of what you had open is lost." : `Environment ${health.data?.environment ?? "…"}`}
              </Text>
            </div>
            {error !== null && <Problem error={error} />}
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
            <Text size="xs" c="dimmed">
              First time here, or the password is lost? On the Master&apos;s machine, <Code>holdfast console</Code> prints a link that signs you
              in once, and <Code>holdfast master password</Code> sets a new password.
            </Text>
          </Stack>
        </form>
      </Card>
    </Center>
  );
}
