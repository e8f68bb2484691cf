/** A command line asks to be logged in as who is signed in here: from where, and with which code. */
import { Button, Code, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { client, take } from "../../api/client";
import { useSession } from "../../api/queries";
import { Card } from "../../parts/Card";
import { visible } from "../../parts/format";
import { Moment } from "../../parts/Moment";
import { Page } from "../../parts/Page";
import { Problem } from "../../parts/Problem";

const LEAD = "Allow it only if you have just typed the command yourself.";

export default function CommandLine({ code }: { code: string }) {
  const user = useSession().data?.user ?? "";
  const params = { path: { code } };
  const asked = useQuery({
    queryKey: ["login-request", code],
    queryFn: ({ signal }) => take(client.GET("/api/v1/login/requests/{code}", { params, signal })),
    retry: false,
    refetchOnWindowFocus: false,
  });
  const [done, setDone] = useState("");
  const [error, setError] = useState<unknown>(null);
  const settle = async (what: Promise<unknown>, said: string) => {
    try {
      await what;
      setDone(said);
    } catch (failure) {
      setError(failure);
    }
  };
  const allow = () => take(client.POST("/api/v1/login/requests/{code}/allow", { params }));
  const refuse = () => take(client.POST("/api/v1/login/requests/{code}/refuse", { params }));
  return (
    <Page title="Log a command line in" lead={LEAD} cli="holdfast login URL --browser" api={`POST /api/v1/login/requests/${code}/allow`}>
      {error !== null && <Problem error={error} />}
      {asked.error && <Problem error={asked.error} />}
      {done && <Text role="status">{done}</Text>}
      {!done && asked.data && (
        <Card title={`Somebody at ${visible(asked.data.peer)} asks to be logged in as ${user}`}>
          <Stack>
            <Text>
              It shows the code <Code fz="lg">{asked.data.code.toUpperCase()}</Code>, and asked <Moment time={asked.data.asked_at} ago />. It may then do what you may.
            </Text>
            <Group>
              <Button onClick={() => void settle(allow(), "It is logged in. You can close this page.")}>Allow</Button>
              <Button variant="default" onClick={() => void settle(refuse(), "It was refused.")}>
                Refuse
              </Button>
            </Group>
          </Stack>
        </Card>
      )}
    </Page>
  );
}
