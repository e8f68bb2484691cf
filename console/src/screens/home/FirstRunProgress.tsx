/** The first run of what was just protected, from the trigger to the first point. */
import { Button, Group, List, Loader, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { client, take } from "../../api/client";
import { to } from "../../app/places";
import { useLive } from "../../live/store";
import { visible } from "../../parts/format";
import { JobProgress } from "../../parts/JobProgress";
import { Problem } from "../../parts/Problem";
import { State, stateOf } from "../../parts/State";

export interface Started {
  dataset: string;
  flow: string;
  trigger: string;
  path: string;
}

const LOOK_MS = 2_000;

export function FirstRunProgress({ started, onClose }: { started: Started; onClose: () => void }) {
  const live = useLive((state) => state.triggers.get(started.trigger) ?? null);
  const asked = useQuery({
    queryKey: ["trigger", started.trigger],
    queryFn: ({ signal }) => take(client.GET("/api/v1/triggers/{trigger}", { params: { path: { trigger: started.trigger } }, signal })),
    refetchInterval: (query) => (query.state.data?.done || live?.done ? false : LOOK_MS),
  });
  const done = live?.done ?? asked.data?.done ?? false;
  const state = live?.state ?? asked.data?.state ?? "running";
  const jobs = live?.jobs ?? asked.data?.jobs.map((job) => job.id) ?? [];
  const problems = live?.problems ?? asked.data?.problems ?? [];
  return (
    <Stack aria-live="polite">
      <Text>
        <b>{visible(started.path)}</b> is protected from now on, as <b>{visible(started.dataset)}</b>.{" "}
        {done ? "" : "Its first run is on its way; it goes on when you close this."}
      </Text>
      {asked.error && !live && <Problem error={asked.error} onRetry={() => void asked.refetch()} />}
      {!done && jobs.length === 0 && <Loader size="sm" aria-label="Starting the first run" />}
      {!done && jobs.map((job) => <JobProgress key={job} job={job} />)}
      {done && (
        <div>
          <State state={stateOf(state)} label={state === "failed" ? "the first run failed" : "the first point is there"} />
        </div>
      )}
      {problems.length > 0 && (
        <List size="sm">
          {problems.map((problem, index) => (
            <List.Item key={index}>
              {visible(problem.node)}: {problem.error.message} {problem.error.hint}
            </List.Item>
          ))}
        </List>
      )}
      <Group justify="flex-end">
        {jobs[0] !== undefined && (
          <Button variant="default" component={Link} href={to.job(jobs[0])}>
            See the job
          </Button>
        )}
        <Button variant="default" component={Link} href={to.flow(started.flow)}>
          See the flow
        </Button>
        {done && state !== "failed" && (
          <Button component={Link} href={to.restore({ dataset: started.dataset })}>
            Get a file back
          </Button>
        )}
        <Button variant={done && state !== "failed" ? "default" : "filled"} onClick={onClose}>
          Close
        </Button>
      </Group>
    </Stack>
  );
}
